namespace Microvm.Host.GuestConsole;

/// <summary>Finds the key that is meant for microvm among those that go to the guest: Ctrl-], as in virsh and telnet.</summary>
/// <param name="pressed">Called when it was pressed.</param>
internal sealed class ConsoleKeys(Action pressed)
{
    internal const string Key = "Ctrl-]";
    private const byte Escape = 0x1d;

    /// <summary>What the guest is to get of what was typed.</summary>
    internal ReadOnlyMemory<byte> Of(ReadOnlyMemory<byte> typed)
    {
        if (!typed.Span.Contains(Escape))
        {
            return typed;
        }
        foreach (var b in typed.Span)
        {
            if (b == Escape)
            {
                pressed();
            }
        }
        return typed.ToArray().Where(b => b != Escape).ToArray();
    }
}
