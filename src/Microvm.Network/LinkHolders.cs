using Microvm.Linux;

namespace Microvm.Network;

/// <summary>Who has a link open. A look into other processes is the dear part of it, and is taken once, when first asked for.</summary>
/// <param name="links">The links of this network namespace.</param>
/// <param name="nodes">The character devices of macvtaps, by ifindex.</param>
internal sealed class LinkHolders(IReadOnlyList<Link> links, IReadOnlyDictionary<int, MacvtapNode> nodes)
{
    private ILookup<string, LinkHolder>? _seen;
    private IReadOnlyDictionary<string, int>? _locks;

    /// <summary>Who has it open, in words: "process 123 (qemu-system-x86)", or "a process that can't be seen from here"; null for nobody.</summary>
    /// <remarks>A tap tells everybody whether it is open. A macvtap does not: its holders are found in their descriptors by who may look, and
    /// those that <c>run</c> started by their lock by anybody.</remarks>
    internal string? Of(Link link) => Process(link) is { } pid ? Words(pid) : link.InUse ? "a process that can't be seen from here" : null;

    /// <summary>The process that has it open; null where nobody has, or nobody that can be seen.</summary>
    internal int? Process(Link link) => link.Tun is null && link.Kind != "macvtap" ? null : Lock(link) ?? (link.Tun is null || link.InUse ? Seen(link) : null);

    /// <summary>A process for a person: its number, and in brackets what it calls itself, which is not to be trusted.</summary>
    internal static string Words(int pid) => $"process {pid}{Called(pid)}";

    /// <summary>What a process calls itself, in brackets after a space; nothing where it does not tell.</summary>
    internal static string Called(int pid) => RunningProcess.Name(pid) is { } name ? $" ({name})" : "";

    private int? Lock(Link link)
    {
        _locks ??= InheritedLock.All();
        // Most hosts have few locks or none, and thousands of links.
        return _locks.Count == 0 ? null
            : (nodes.GetValueOrDefault(link.Index) is { Present: true } node ? InheritedLock.Holder(node.Path, _locks) : null) ?? InheritedLock.Holder(LinkLock.File(link.Name), _locks);
    }

    private int? Seen(Link link)
    {
        _seen ??= LinkHolder.Scan(links).Where(h => h.Pid != Environment.ProcessId).ToLookup(h => h.Link);
        return _seen[link.Name].Select(h => (int?)h.Pid).FirstOrDefault();
    }
}

/// <summary>Whether a link may be taken away: a program that has it open, or has the other one of its pair open, would be without a network.</summary>
internal static class Occupation
{
    /// <summary>Who has it, as the end of a sentence; null where nobody has. Of a macvtap that is known only to those who may look into other processes.</summary>
    internal static string? Of(Link link, HostState state)
    {
        if (link.InUse)
        {
            return $"a VM has it open{(state.Holders?.Of(link) is { } who ? $": {who}" : "")}";
        }
        if (link.Kind == "macvtap")
        {
            return state.Holders?.Process(link) is { } pid ? $"process {pid} has it open{LinkHolders.Called(pid)}" : null;
        }
        // Behind the macvlan of a redirected pair is the tap that a VM opens.
        return Ownership.IsPart(link.Alias) && link.Kind == "macvlan"
            && state.Links.FirstOrDefault(l => l.InUse && Ownership.Vm(l.Alias) == Ownership.Vm(link.Alias) && Ownership.Id(l.Alias) == Ownership.Id(link.Alias)) is { } tap
            ? $"a VM has '{tap.Name}' open, which is joined to it{(state.Holders?.Of(tap) is { } holder ? $": {holder}" : "")}" : null;
    }
}

/// <summary>The lock on a link that is opened by its name: on a file of the kernel's that each link of each network namespace has, so that
/// nothing is left behind and a link that was made anew is free.</summary>
internal static class LinkLock
{
    internal static string File(string name) => $"/proc/sys/net/ipv4/conf/{name}/forwarding";
}
