using System.Text;

namespace Microvm.Network;

/// <summary>Who owns a link stands in the kernel: <c>microvm:VM/ID</c> in its alias, the VM's number in its link group.</summary>
internal static class Ownership
{
    private const string Prefix = "microvm:";

    /// <summary>The alias of a VM's link. A second link of the same interface has a part behind a colon, which no id can hold.</summary>
    public static string Alias(string vm, string id, string? part = null) => part is null ? $"{Prefix}{vm}/{id}" : $"{Prefix}{vm}/{id}:{part}";

    /// <summary>The VM that an alias names, or null for somebody else's link.</summary>
    public static string? Vm(string? alias) => VmEnd(alias) is > 0 and var end ? alias![Prefix.Length..end] : null;

    /// <summary>The interface that an alias names, or null for somebody else's link.</summary>
    public static string? Id(string? alias) => Vm(alias) is null ? null : alias![(alias!.IndexOf('/') + 1)..].Split(':')[0];

    /// <summary>Whether the alias is that of one of two links that stand for one interface.</summary>
    public static bool IsPart(string? alias) => VmEnd(alias) > 0 && alias!.LastIndexOf(':') > Prefix.Length;

    /// <summary>The alias of the same link, were it another VM's.</summary>
    public static string OfVm(string alias, string vm) => $"{Prefix}{vm}{alias[VmEnd(alias)..]}";

    private static int VmEnd(string? alias) =>
        alias?.StartsWith(Prefix, StringComparison.Ordinal) == true && alias.IndexOf('/') is var slash && slash > Prefix.Length ? slash : 0;

    /// <summary>A VM's link group: a hash of its name (FNV-1a), moved on while others have that number.</summary>
    public static uint LinkGroup(string vm, Func<uint, bool> takenByOthers)
    {
        // 31 bits, since ip(8) prints a group as a signed number; not the small numbers that people choose.
        static uint InRange(uint number) => number & 0x7fffffff | 0x10000;
        var group = InRange(Encoding.UTF8.GetBytes(vm).Aggregate(2166136261u, (h, b) => (h ^ b) * 16777619u));
        while (takenByOthers(group))
        {
            group = InRange(group + 1);
        }
        return group;
    }
}
