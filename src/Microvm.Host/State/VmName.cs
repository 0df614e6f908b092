using System.Diagnostics.CodeAnalysis;
using Microvm.Declaration;

namespace Microvm.Host;

/// <summary>The name of a VM on this host: one path component and one systemd instance, whoever typed it.</summary>
public sealed record VmName
{
    /// <summary>The name as text.</summary>
    public string Value { get; }

    private VmName(string value) => Value = value;

    /// <summary>The VM's service.</summary>
    public string Unit => $"microvm@{Value}.service";

    /// <summary>The unit that takes the VM's interfaces down when it stops; waiting for it is waiting for that.</summary>
    public string InterfacesUnit => $"microvm-interfaces@{Value}.service";

    /// <summary>The VM's unit of a kind: <c>tap-interfaces</c>, <c>set-booted</c> and so on.</summary>
    public string Part(string kind) => $"microvm-{kind}@{Value}.service";

    /// <summary>Takes 1 to 63 of a-z, A-Z, 0-9, '-', '_' and '.', with a letter, digit or '_' in front.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out VmName? name)
    {
        var good = text.Length is >= 1 and <= 63 && (char.IsAsciiLetterOrDigit(text[0]) || text[0] == '_')
            && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');
        name = good ? new(text) : null;
        return good;
    }

    /// <exception cref="ArgumentException">The text is no name.</exception>
    public static VmName Parse(string text) => TryParse(text, out var name) ? name
        : throw new ArgumentException($"'{Printable.Of(text)}' can't be a VM's name: use 1 to 63 of a-z, 0-9, '-', '_' and '.', with a letter or digit in front");

    /// <inheritdoc/>
    public override string ToString() => Value;
}
