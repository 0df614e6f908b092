namespace Microvm.Host.Control;

/// <summary>A running VM could not be talked to, or refused what was asked.</summary>
public sealed class ControlException(string message, Exception? inner = null) : Exception(message, inner);
