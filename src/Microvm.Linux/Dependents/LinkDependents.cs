using System.Buffers.Binary;
using System.Text;

namespace Microvm.Linux;

/// <summary>All that depends on some links and goes with them when they are deleted: addresses, routes, nexthop objects, neighbours,
/// forwarding entries, qdiscs, classes and filters, whoever made them, and the links' own settings. Seen before, made again after.</summary>
internal sealed class LinkDependents
{
    // What goes back as it was told. Of the others the kernel wants more than it tells.
    private static readonly HashSet<string> s_qdiscs = ["pfifo", "bfifo", "pfifo_fast", "tbf", "htb", "prio", "fq", "fq_codel", "sfq", "clsact", "ingress"];
    // struct ndmsg: every bridge's.
    private static readonly byte[] s_forwarding = [CarriedKinds.AF_BRIDGE, .. new byte[11]];
    private static readonly HashSet<string> s_filters = ["matchall", "flower"];
    private static readonly HashSet<string> s_actions = ["mirred", "gact", "skbedit"];
    private readonly Dictionary<int, List<Carried>> _things = [];
    private readonly Dictionary<int, LinkSettings> _settings = [];
    private readonly Dictionary<int, List<string>> _stuck = [];

    private LinkDependents()
    {
    }

    /// <summary>Looks at what depends on the links: a dump for each kind, however many links there are.</summary>
    /// <param name="all">All links of the namespace: what stands on one of them can't be carried along.</param>
    /// <exception cref="LinuxException">The kernel refused to tell.</exception>
    internal static LinkDependents Read(RouteSocket route, IReadOnlyList<Link> links, IReadOnlyList<Link> all)
    {
        var read = new LinkDependents();
        var same = links.ToDictionary(l => l.Index, l => l.Index);
        var taps = links.Where(l => l.Tun is not null).Select(l => l.Index).ToHashSet();
        var onTop = all.Where(l => l.Index != l.Lower && l.LowerNamespace is null && l.Kind != "veth").ToLookup(l => l.Lower);
        foreach (var link in links)
        {
            read._things[link.Index] = [];
            read._stuck[link.Index] = [.. onTop[link.Index].Select(l => $"the link '{l.Name}' on top of it")];
        }
        foreach (var settings in LinkSettings.Read(route, same.Keys))
        {
            read._settings[settings.Index] = settings;
            if (settings.Stuck is { } stuck)
            {
                read._stuck[settings.Index].Add(stuck);
            }
        }
        foreach (var (index, thing, why) in Things(route, same, links.ToDictionary(l => l.Index, l => l.Address)))
        {
            // A tap has no carrier until a program opens it.
            if (taps.Contains(index) && CarriedKinds.NeedsCarrier(thing))
            {
                read._stuck[index].Add($"{thing.Text} (the kernel keeps it on a link with a carrier alone, which a new tap has not)");
                continue;
            }
            if (why is not null)
            {
                read._stuck[index].Add(why);
                continue;
            }
            read._things[index].Add(thing);
        }
        return read;
    }

    /// <summary>What is carried along with a link, for a person.</summary>
    internal IReadOnlyList<string> Of(int index) => _things.GetValueOrDefault(index) is { } things ? [.. things.Where(t => t.Type is not CarriedKinds.RTM_NEWTCLASS).Select(t => t.Text)] : [];

    /// <summary>What depends on a link and can't be carried along, for a person.</summary>
    internal IReadOnlyList<string> Stuck(int index) => _stuck.GetValueOrDefault(index) ?? [];

    /// <summary>Makes again what is missing on the links that took the places of those.</summary>
    /// <param name="places">From the ifindex that a link had to the link that is there now.</param>
    /// <returns>What could not be made again, with the kernel's words.</returns>
    /// <exception cref="LinuxException">The kernel refused to tell what is there.</exception>
    /// <param name="which">What of it; null for all.</param>
    internal IReadOnlyList<LinuxException> Restore(RouteSocket route, IReadOnlyDictionary<int, Link> places, IReadOnlySet<int> samePort, Func<Carried, bool>? which = null)
    {
        var settings = places.Where(p => _settings.ContainsKey(p.Key)).Select(p => (Was: _settings[p.Key], Now: p.Value)).ToList();
        var failures = new List<LinuxException>(LinkSettings.Restore(route, settings, samePort));
        var indexes = places.Where(p => _things.GetValueOrDefault(p.Key)?.Count > 0).ToDictionary(p => p.Key, p => p.Value.Index);
        if (indexes.Count == 0)
        {
            return failures;
        }
        // A route of several next hops names several links, and may have been noted with each.
        var wanted = new CarriedAgain(indexes);
        var missing = indexes.Keys.SelectMany(i => _things[i]).Where(t => (samePort.Contains(wanted.Old(t)) || !CarriedKinds.IsOfBridge(t)) && which?.Invoke(t) != false)
            .Select(wanted.Of).DistinctBy(t => t.Key).ToList();
        IReadOnlyList<LinuxException> refused = [];
        // One may need another: a route its gateway's route, a qdisc its class. Again as long as that makes a difference.
        for (var round = 0; missing.Count > 0; round++)
        {
            var before = missing.Count;
            var there = Things(route, indexes.Values.ToDictionary(i => i, i => i), places.Values.DistinctBy(l => l.Index).ToDictionary(l => l.Index, l => l.Address)).Select(t => t.Thing.Key).ToHashSet();
            missing.RemoveAll(t => there.Contains(t.Key));
            if (round > 0 && missing.Count == before)
            {
                break;
            }
            var batch = new RouteBatch();
            missing.ForEach(t => batch.Add($"carry along {t.Text} of", wanted.Name(t, places), t.Type, t.Flags, t.Body));
            // What is there in its place, somebody else has put there meanwhile.
            refused = [.. route.Try(batch).Where(e => e.Errno != Errno.EEXIST)];
            if (refused.Count == 0)
            {
                break;
            }
        }
        failures.AddRange(refused);
        return failures;
    }

    private static IEnumerable<(int Index, Carried Thing, string? Stuck)> Things(RouteSocket route, IReadOnlyDictionary<int, int> indexes, IReadOnlyDictionary<int, string?> macs)
    {
        var kinds = new CarriedKinds(indexes);
        var found = new List<(int Index, Carried Thing, string? Stuck)>();
        void Take(ushort ask, ushort type, byte[] header, string what, Func<byte[], Carried?> read, Func<byte[], int[]> of)
        {
            var messages = new List<byte[]>();
            try
            {
                route.Messages(ask, type, header, what, messages);
            }
            catch (LinuxException e) when (e.Errno is Errno.EOPNOTSUPP)
            {
                // A kernel without that kind of thing has none.
                return;
            }
            if (type == CarriedKinds.RTM_NEWNEXTHOP)
            {
                // A group may come before its members: its members are known first.
                messages.ForEach(b => read(b));
            }
            foreach (var body in messages)
            {
                if (read(body) is { } thing)
                {
                    found.AddRange(of(body).Where(indexes.ContainsKey).Take(1).Select(i => (i, thing, (string?)null)));
                }
            }
        }
        static int At4(byte[] body) => BinaryPrimitives.ReadInt32LittleEndian(body.AsSpan(4));
        var any = indexes.Keys.First();
        Take(CarriedKinds.RTM_GETADDR, CarriedKinds.RTM_NEWADDR, new byte[8], "list the addresses", b => kinds.Address(b), b => [At4(b)]);
        Take(CarriedKinds.RTM_GETNEXTHOP, CarriedKinds.RTM_NEWNEXTHOP, new byte[8], "list the nexthops", b => kinds.Nexthop(b), b => [.. CarriedAgain.Links(CarriedKinds.RTM_NEWNEXTHOP, b), any]);
        foreach (var family in (byte[])[CarriedKinds.AF_INET, CarriedKinds.AF_INET6])
        {
            Take(CarriedKinds.RTM_GETROUTE, CarriedKinds.RTM_NEWROUTE, [family, .. new byte[11]], "list the routes", b => kinds.Route(b), b => [.. CarriedAgain.Links(CarriedKinds.RTM_NEWROUTE, b), any]);
        }
        Take(CarriedKinds.RTM_GETNEIGH, CarriedKinds.RTM_NEWNEIGH, new byte[12], "list the neighbours", b => kinds.Neighbour(b), b => [At4(b)]);
        Take(CarriedKinds.RTM_GETNEIGH, CarriedKinds.RTM_NEWNEIGH, [.. new byte[10], CarriedKinds.NTF_PROXY, 0], "list the proxy entries", b => kinds.Neighbour(b), b => [At4(b)]);
        Take(CarriedKinds.RTM_GETNEIGH, CarriedKinds.RTM_NEWNEIGH, s_forwarding, "list the forwarding entries", b => kinds.Forwarding(b, i => macs.GetValueOrDefault(i)), b => [At4(b)]);
        Traffic(route, kinds, indexes, found);
        return found;
    }

    /// <summary>The static entries of bridges' forwarding databases for some ports, by ifindex.</summary>
    /// <exception cref="LinuxException">The kernel refused to tell.</exception>
    internal static ILookup<int, Carried> Forwarding(RouteSocket route, IReadOnlyList<Link> ports)
    {
        var kinds = new CarriedKinds(ports.ToDictionary(l => l.Index, l => l.Index));
        var macs = ports.ToDictionary(l => l.Index, l => l.Address);
        var messages = new List<byte[]>();
        try
        {
            route.Messages(CarriedKinds.RTM_GETNEIGH, CarriedKinds.RTM_NEWNEIGH, s_forwarding, "list the forwarding entries", messages);
        }
        catch (LinuxException e) when (e.Errno is Errno.EOPNOTSUPP)
        {
            // A kernel without bridges has none.
        }
        return messages.Select(b => kinds.Forwarding(b, i => macs.GetValueOrDefault(i))).OfType<Carried>().Where(CarriedKinds.IsOfBridge).ToLookup(t => BinaryPrimitives.ReadInt32LittleEndian(t.Body.AsSpan(4)));
    }

    /// <summary>Adds what gives a port the entries that it, or the one in whose place it is, had.</summary>
    internal static void Give(IEnumerable<Carried> entries, Link port, RouteBatch batch)
    {
        foreach (var entry in entries)
        {
            var moved = new CarriedAgain(new Dictionary<int, int> { [BinaryPrimitives.ReadInt32LittleEndian(entry.Body.AsSpan(4))] = port.Index }).Of(entry);
            batch.Add($"give {moved.Text} back to", port.Name, moved.Type, moved.Flags, moved.Body);
        }
    }

    private static void Traffic(RouteSocket route, CarriedKinds kinds, IReadOnlyDictionary<int, int> indexes, List<(int Index, Carried Thing, string? Stuck)> found)
    {
        var messages = new List<byte[]>();
        try
        {
            route.Messages(CarriedKinds.RTM_GETQDISC, CarriedKinds.RTM_NEWQDISC, new byte[20], "list the qdiscs", messages);
        }
        catch (LinuxException e) when (e.Errno == Errno.EOPNOTSUPP)
        {
            return;
        }
        var parents = new HashSet<(int Index, uint Parent)>();
        foreach (var body in messages)
        {
            // A tap is made with noqueue, which has neither classes nor filters: thousands of links are not asked for them one by one.
            if (kinds.Traffic(CarriedKinds.RTM_NEWQDISC, body, out var kind) is { } qdisc && kind != "noqueue")
            {
                var index = BinaryPrimitives.ReadInt32LittleEndian(body.AsSpan(4));
                var handle = BinaryPrimitives.ReadUInt32LittleEndian(body.AsSpan(8));
                found.Add((index, qdisc, s_qdiscs.Contains(kind) ? null : qdisc.Text));
                parents.UnionWith(kind == "clsact" ? [(index, RouteBatch.CLSACT_INGRESS), (index, RouteBatch.CLSACT_INGRESS + 1)] : [(index, handle)]);
            }
        }
        foreach (var (index, parent) in parents)
        {
            byte[] header = [0, 0, 0, 0, .. BitConverter.GetBytes(index), 0, 0, 0, 0, .. BitConverter.GetBytes(parent), 0, 0, 0, 0];
            if (parent < 0xffff0000)
            {
                var classes = new List<byte[]>();
                route.Messages(CarriedKinds.RTM_GETTCLASS, CarriedKinds.RTM_NEWTCLASS, [.. header[..12], 0, 0, 0, 0, 0, 0, 0, 0], "list the classes", classes);
                foreach (var body in classes)
                {
                    // Only HTB's are made; those of other qdiscs are part of them.
                    if (kinds.Traffic(CarriedKinds.RTM_NEWTCLASS, body, out var kind) is { } @class && kind == "htb" && (BinaryPrimitives.ReadUInt32LittleEndian(body.AsSpan(8)) ^ parent) >> 16 == 0)
                    {
                        found.Add((index, @class, null));
                    }
                }
            }
            var filters = new List<byte[]>();
            route.Messages(CarriedKinds.RTM_GETTFILTER, CarriedKinds.RTM_NEWTFILTER, header, "list the filters", filters);
            foreach (var body in filters)
            {
                // Those of a redirected pair are the pair's own, and are set when both of its links are there.
                if (!RedirectFilter.Is(body) && kinds.Traffic(CarriedKinds.RTM_NEWTFILTER, body, out var kind) is { } filter)
                {
                    found.Add((index, filter, s_filters.Contains(kind) && ActionsOf(body).All(s_actions.Contains) ? null : filter.Text));
                }
            }
        }
    }

    /// <summary>The kinds of a filter's actions, wherever among its options the list of them is (TCA_ACT_KIND within a numbered list).</summary>
    private static IEnumerable<string> ActionsOf(byte[] body)
    {
        const ushort TCA_OPTIONS = 2, TCA_ACT_KIND = 1;
        var kinds = new List<string>();
        var top = new AttributeReader(body.AsSpan(20));
        while (top.Read())
        {
            var option = new AttributeReader(top.Type == TCA_OPTIONS ? top.Value : default);
            while (option.Read())
            {
                var number = new AttributeReader(option.Value);
                while (option.Value.Length > 8 && number.Read())
                {
                    var action = new AttributeReader(number.Value);
                    if (action.Read() && action.Type == TCA_ACT_KIND && action.Value is [>= (byte)'a' and <= (byte)'z', .., 0])
                    {
                        kinds.Add(Encoding.UTF8.GetString(action.Value[..^1]));
                    }
                }
            }
        }
        return kinds;
    }
}

/// <summary>Requests for the links that are there now, out of those that were seen before.</summary>
internal sealed class CarriedAgain(IReadOnlyDictionary<int, int> indexes)
{
    private readonly CarriedKinds _kinds = new(indexes);

    internal int Old(Carried thing) => Links(thing.Type, thing.Body).FirstOrDefault(indexes.ContainsKey);

    internal string Name(Carried thing, IReadOnlyDictionary<int, Link> places) =>
        Links(thing.Type, thing.Body).Select(i => places.Values.FirstOrDefault(l => l.Index == i)?.Name).FirstOrDefault(n => n is not null) ?? "a link";

    internal Carried Of(Carried thing) => thing.Type switch
    {
        CarriedKinds.RTM_NEWADDR => _kinds.Address(thing.Body),
        CarriedKinds.RTM_NEWNEXTHOP => _kinds.Nexthop(thing.Body),
        CarriedKinds.RTM_NEWROUTE => _kinds.Route(thing.Body),
        CarriedKinds.RTM_NEWNEIGH when thing.Body[0] == CarriedKinds.AF_BRIDGE => Moved(thing),
        CarriedKinds.RTM_NEWNEIGH => _kinds.Neighbour(thing.Body),
        _ => _kinds.Traffic(thing.Type, thing.Body, out _),
    } ?? thing;

    // The request has no NDA_MASTER, by which the bridge's entries are known in a dump.
    private Carried Moved(Carried thing)
    {
        var to = indexes.GetValueOrDefault(Old(thing));
        var body = thing.Body.ToArray();
        BinaryPrimitives.WriteInt32LittleEndian(body.AsSpan(4), to);
        var head = $"{thing.Type}:".Length;
        var key = thing.Key.ToCharArray();
        Convert.ToHexString(body.AsSpan(4, 4)).CopyTo(0, key, head + 8, 8);
        return thing with { Body = body, Key = new(key) };
    }

    /// <summary>The links that a message names.</summary>
    internal static IEnumerable<int> Links(ushort type, byte[] body)
    {
        const ushort RTA_OIF = 4, RTA_MULTIPATH = 9, NHA_OIF = 5;
        var (header, device, hops) = type switch { CarriedKinds.RTM_NEWROUTE => (12, RTA_OIF, RTA_MULTIPATH), CarriedKinds.RTM_NEWNEXTHOP => (8, NHA_OIF, (ushort)0), _ => (0, (ushort)0, (ushort)0) };
        var found = new List<int>();
        if (header == 0)
        {
            return [BinaryPrimitives.ReadInt32LittleEndian(body.AsSpan(4))];
        }
        var reader = new AttributeReader(body.AsSpan(header));
        while (reader.Read())
        {
            if (reader.Type == device)
            {
                found.Add((int)reader.UInt32);
            }
            for (var rest = hops != 0 && reader.Type == hops ? reader.Value : default; rest.Length >= 8;)
            {
                found.Add(BinaryPrimitives.ReadInt32LittleEndian(rest[4..]));
                rest = rest[Math.Min(Math.Max(8, BinaryPrimitives.ReadUInt16LittleEndian(rest) + 3 & ~3), rest.Length)..];
            }
        }
        return found;
    }
}
