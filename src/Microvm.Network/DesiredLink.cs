using System.Text;
using Microvm.Declaration;

namespace Microvm.Network;

/// <summary>A tap as a declaration wants it on the host.</summary>
public sealed record DesiredLink(string Vm, string Name, bool MultiQueue, uint? Owner, uint? Group, string? Bridge)
{
    public string Alias => Ownership.Alias(Vm, Name);

    /// <summary>The host links that attachments need.</summary>
    public static IEnumerable<DesiredLink> Of(IEnumerable<Attachment> attachments, uint? owner, uint? group) =>
        attachments.Where(a => a.Interface.Type == InterfaceType.Tap && a.Kind is AttachmentKind.TapByName or AttachmentKind.TapByFd)
            .Select(a => new DesiredLink(a.Vm, a.Interface.Id.Value, a.MultiQueue, owner, group, a.Interface.Bridge?.Value));
}

/// <summary>Who owns a link stands in the kernel: <c>microvm:VM/ID</c> in its alias, the VM's number in its link group.</summary>
public static class Ownership
{
    private const string Prefix = "microvm:";
    public static string Alias(string vm, string id) => $"{Prefix}{vm}/{id}";

    /// <summary>The VM that an alias names, or null for somebody else's link.</summary>
    public static string? Vm(string? alias) =>
        alias?.StartsWith(Prefix, StringComparison.Ordinal) == true && alias.IndexOf('/') is > 8 and var slash ? alias[Prefix.Length..slash] : null;

    /// <summary>A VM's link group: a hash of its name (FNV-1a), moved on while links of others carry that number.</summary>
    public static uint LinkGroup(string vm, IReadOnlyCollection<(uint Group, string? Vm)> taken)
    {
        var hash = Encoding.UTF8.GetBytes(vm).Aggregate(2166136261u, (h, b) => (h ^ b) * 16777619u) | 0x10000;
        while (taken.Any(t => t.Group == hash && t.Vm != vm))
        {
            hash = (hash + 1) | 0x10000;
        }
        return hash;
    }
}
