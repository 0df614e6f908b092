using Microvm.Declaration;

namespace Microvm.Host.Systemd;

/// <summary>Why a VM does not run, in the words of the unit that failed.</summary>
public static class UnitFailure
{
    /// <summary>The units of a VM in the order in which they start, but for the VM's own.</summary>
    private static readonly string[] s_before = ["interfaces", "tap-interfaces", "macvtap-interfaces", "pci-devices", "set-booted", "virtiofsd"];

    /// <summary>What the first of the VM's units that failed said last; null where none has failed, or the journal can't be read.</summary>
    /// <param name="vm">Its own unit, as <see cref="Systemctl.States"/> tells of it.</param>
    public static string? Of(VmName name, UnitState vm)
    {
        var units = Systemctl.Show([.. s_before.Select(name.Part)]);
        var failed = units.FirstOrDefault(u => u.Active == "failed") ?? (vm.IsFailing ? vm : null);
        if (failed is null)
        {
            return null;
        }
        var said = Said(Systemctl.Journal(failed.Unit, failed.Invocation));
        return said is { } words ? failed == vm ? words : $"{failed.Unit[..^".service".Length]}: {words}"
            : failed.Result is "" or "success" ? null : $"{failed.Unit} failed ({failed.Result}); the reason is in: journalctl -u {failed.Unit}";
    }

    /// <summary>The line that tells why among what a unit printed: our own last one that is no note, else the program's last. Pure.</summary>
    internal static string? Said(IReadOnlyList<string> lines)
    {
        const string Ours = "microvm: ";
        const int Longest = 400;
        var ours = lines.LastOrDefault(l => l.StartsWith(Ours, StringComparison.Ordinal) && !s_notes.Any(n => l.StartsWith(Ours + n, StringComparison.Ordinal)));
        List<string> theirs = [.. lines.Where(l => l.Trim().Length > 0 && !l.StartsWith(Ours, StringComparison.Ordinal))];
        var line = ours?[Ours.Length..] ?? theirs.LastOrDefault(l => s_signs.Any(w => l.Contains(w, StringComparison.OrdinalIgnoreCase))) ?? theirs.LastOrDefault();
        return line is null ? null : Printable.Of(line.Trim(), Longest);
    }

    /// <summary>What a line has that tells why a program ended.</summary>
    private static readonly string[] s_signs = ["error", "fatal", "fail", "can't", "cannot", "could not", "unable", "crashed", "panic", "no such"];

    private static readonly string[] s_notes = ["note: ", "running on ", "KVM can't be used", "making the volume ", "the VM runs as "];
}
