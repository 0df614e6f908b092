using System.Buffers.Binary;
using System.Text;

namespace Microvm.Linux;

/// <summary>The tables of iptables-legacy and ip6tables-legacy, read as these programs read them (linux/netfilter_ipv4/ip_tables.h, linux/netfilter_ipv6/ip6_tables.h).
/// nft shows nothing of them, and the kernel asks both.</summary>
internal static unsafe class LegacyTables
{
    private const int AF_INET = 2, AF_INET6 = 10, SOCK_DGRAM = 2, SOCK_CLOEXEC = 0x80000, SOL_IP = 0, SOL_IPV6 = 41, GET_INFO = 64, GET_ENTRIES = 65;
    private static readonly string[] s_hooks = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"];

    /// <summary>Where the parts of an entry stand: struct ipt_entry and struct ip6t_entry.</summary>
    /// <param name="Addresses">How many bytes the addresses and masks in front have.</param>
    /// <param name="Protocol">Where the protocol, flags and inverted flags stand.</param>
    internal sealed record Layout(byte Family, int Addresses, int Protocol, int Flags, int Invert, int Offsets, int Size, byte FlagGoto)
    {
        public static Layout Ip { get; } = new(FirewallChain.Ip, 16, 80, 82, 83, 88, 112, 2);
        public static Layout Ip6 { get; } = new(FirewallChain.Ip6, 64, 128, 131, 132, 140, 168, 4);
    }

    /// <summary>All tables that are in use in the network namespace of the calling thread. Asking for another would make it, so only these are asked for.</summary>
    /// <exception cref="LinuxException">CAP_NET_ADMIN is missing.</exception>
    /// <exception cref="UnauthorizedAccessException">The list of tables is not ours to read.</exception>
    public static (List<FirewallChain> Chains, List<FirewallRule> Rules) Read()
    {
        List<FirewallChain> chains = [];
        List<FirewallRule> rules = [];
        foreach (var (file, domain, level, layout) in new[] { ("ip_tables_names", AF_INET, SOL_IP, Layout.Ip), ("ip6_tables_names", AF_INET6, SOL_IPV6, Layout.Ip6) })
        {
            var path = $"/proc/thread-self/net/{file}";
            if (!File.Exists(path))
            {
                continue;
            }
            foreach (var table in File.ReadAllLines(path).Where(l => l.Length > 0))
            {
                var (info, entries) = Blob(table, domain, level);
                Parse(table, info, entries, layout, chains, rules);
            }
        }
        return (chains, rules);
    }

    private static (byte[] Info, byte[] Entries) Blob(string table, int domain, int level)
    {
        const int InfoSize = 84, EntriesAt = 40, SizeAt = 80;
        var what = $"read iptables-legacy's table {table}";
        using var socket = new FileDescriptor((int)Libc.Check(Libc.socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0), what));
        // Between the two questions somebody may have changed it; then the size is no longer right (EAGAIN).
        for (var attempt = 0; ; attempt++)
        {
            var info = new byte[InfoSize];
            Encoding.ASCII.GetBytes(table.AsSpan(0, Math.Min(table.Length, 31)), info);
            Ask(socket, level, GET_INFO, info, what);
            var size = BinaryPrimitives.ReadUInt32LittleEndian(info.AsSpan(SizeAt));
            var entries = new byte[EntriesAt + size];
            info.AsSpan(0, 32).CopyTo(entries);
            BinaryPrimitives.WriteUInt32LittleEndian(entries.AsSpan(32), size);
            try
            {
                Ask(socket, level, GET_ENTRIES, entries, what);
                return (info, entries[EntriesAt..]);
            }
            catch (LinuxException e) when (e.Errno == Errno.EAGAIN && attempt < 10)
            {
                // Once more.
            }
        }
    }

    private static void Ask(FileDescriptor socket, int level, int name, byte[] buffer, string what)
    {
        var length = (uint)buffer.Length;
        fixed (byte* p = buffer)
        {
            Libc.Check(Libc.getsockopt(socket.Value, level, name, p, &length), what);
        }
    }

    /// <summary>Reads struct ipt_getinfo and the entries. Pure.</summary>
    internal static void Parse(string table, ReadOnlySpan<byte> info, ReadOnlySpan<byte> entries, Layout layout, List<FirewallChain> chains, List<FirewallRule> rules)
    {
        const int HooksAt = 32, StartsAt = 36, PoliciesAt = 56, TargetHeader = 32;
        var hooks = BinaryPrimitives.ReadUInt32LittleEndian(info[HooksAt..]);
        var starts = new Dictionary<int, string>();
        // Where a base chain's policy stands, which belongs to no rule.
        var policies = new HashSet<int>();
        for (var hook = 0; hook < s_hooks.Length; hook++)
        {
            if ((hooks & 1u << hook) != 0)
            {
                var policy = BinaryPrimitives.ReadInt32LittleEndian(info[(PoliciesAt + 4 * hook)..]);
                starts[BinaryPrimitives.ReadInt32LittleEndian(info[(StartsAt + 4 * hook)..])] = s_hooks[hook];
                policies.Add(policy);
                chains.Add(new(layout.Family, table, s_hooks[hook], (uint)hook, Target(entries, policy, layout) is { } t && t.Length >= TargetHeader + 4 && Code(t) == -1)
                { IsLegacy = true, IsNat = table == "nat", Priority = Priority(table, hook) });
            }
        }
        // Chains first, for jumps lead to the place behind a chain's name.
        for (var at = 0; Next(entries, at, layout) is { } next; at = next)
        {
            if (Target(entries, at, layout) is { } target && Name(target[2..31]) == "ERROR" && target.Length > TargetHeader)
            {
                starts[next] = Name(target[TargetHeader..]);
            }
        }
        string? chain = null;
        for (var at = 0; Next(entries, at, layout) is { } next; at = next)
        {
            chain = starts.GetValueOrDefault(at, chain!);
            var target = Target(entries, at, layout);
            if (chain is not null && target is not null && !policies.Contains(at) && Name(target[2..31]) != "ERROR")
            {
                // A chain of ours ends in a return of its own, which is no rule that somebody wrote, and does what the end does.
                rules.Add(new(layout.Family, table, chain, 0, [.. Expressions(entries[at..next], target, next, starts, layout)]) { IsLegacy = true });
            }
        }
    }

    private static List<IFirewallExpression> Expressions(ReadOnlySpan<byte> entry, byte[] target, int next, Dictionary<int, string> starts, Layout layout)
    {
        const byte InvertIn = 1, InvertOut = 2;
        const int MatchHeader = 32;
        var invert = entry[layout.Invert];
        var links = entry.Slice(layout.Addresses, 64);
        List<IFirewallExpression> found = [new LinksMatch(links.ToArray(), (invert & InvertIn) != 0, (invert & InvertOut) != 0)];
        // Masks of addresses stand behind the addresses; a protocol, a fragment or a kind of service is asked for by number or flag.
        if (entry.Slice(layout.Addresses / 2, layout.Addresses / 2).ContainsAnyExcept((byte)0) || BinaryPrimitives.ReadUInt16LittleEndian(entry[layout.Protocol..]) != 0
            || (entry[layout.Flags] & ~layout.FlagGoto & ~1) != 0 || (layout == Layout.Ip && (entry[layout.Flags] & 1) != 0) || (invert & ~(InvertIn | InvertOut)) != 0)
        {
            found.Add(new NotKnown());
        }
        var targetAt = BinaryPrimitives.ReadUInt16LittleEndian(entry[layout.Offsets..]);
        for (var at = layout.Size; at + MatchHeader <= targetAt && BinaryPrimitives.ReadUInt16LittleEndian(entry[at..]) is >= MatchHeader and var size && at + size <= targetAt; at += size)
        {
            found.Add(new XtMatch(Name(entry.Slice(at + 2, 29)), entry[at + 31], entry[(at + MatchHeader)..(at + size)].ToArray()));
        }
        if (Name(target.AsSpan(2, 29)) is { Length: > 0 } name)
        {
            found.Add(new XtTarget(name));
        }
        else if (target.Length >= 36)
        {
            // Below zero it is a verdict, less one; XT_RETURN is -5. Else the place to go on at, which may be the next entry: a rule that decides nothing.
            var code = Code(target);
            FirewallVerdict? verdict = code switch
            {
                -1 => new(VerdictKind.Drop),
                -2 => new(VerdictKind.Accept),
                -5 => new(VerdictKind.Return),
                >= 0 when code != next && starts.TryGetValue(code, out var to) => new((entry[layout.Flags] & layout.FlagGoto) != 0 ? VerdictKind.Goto : VerdictKind.Jump, to),
                _ => null,
            };
            found.Add(verdict is { } v ? new Decide(v) : code < 0 ? new XtTarget("QUEUE") : new Continue());
        }
        return found;
    }

    private static int? Next(ReadOnlySpan<byte> entries, int at, Layout layout) =>
        at + layout.Size <= entries.Length && BinaryPrimitives.ReadUInt16LittleEndian(entries[(at + layout.Offsets + 2)..]) is var length && length >= layout.Size && at + length <= entries.Length ? at + length : null;

    private static byte[]? Target(ReadOnlySpan<byte> entries, int at, Layout layout) =>
        at >= 0 && Next(entries, at, layout) is { } next && BinaryPrimitives.ReadUInt16LittleEndian(entries[(at + layout.Offsets)..]) is var offset && at + offset + 32 <= next ? entries[(at + offset)..next].ToArray() : null;

    private static int Code(byte[] target) => BinaryPrimitives.ReadInt32LittleEndian(target.AsSpan(32));
    private static string Name(ReadOnlySpan<byte> text) => Encoding.UTF8.GetString(text.IndexOf((byte)0) is >= 0 and var end ? text[..end] : text);

    // enum nf_ip_hook_priorities
    private static int Priority(string table, int hook) => table switch { "raw" => -300, "mangle" => -150, "nat" => hook is 0 or 3 ? -100 : 100, "security" => 50, _ => 0 };
}

/// <summary>The links that a rule of iptables-legacy is for.</summary>
/// <param name="Links">iniface, outiface and the masks of both, 16 bytes each.</param>
internal sealed record LinksMatch(byte[] Links, bool NotIn, bool NotOut) : IFirewallExpression
{
    public Match Run(FirewallMachine machine)
    {
        var comes = LinkPattern.Matches(machine.Frame.In, Links.AsSpan(0, 16), Links.AsSpan(32, 16));
        var goes = LinkPattern.Matches(machine.Frame.Out, Links.AsSpan(16, 16), Links.AsSpan(48, 16));
        comes = NotIn ? LinkPattern.Not(comes) : comes;
        goes = NotOut ? LinkPattern.Not(goes) : goes;
        return comes < goes ? comes : goes;
    }
}
