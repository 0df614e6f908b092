using System.Text.Json;

namespace Microvm.Tests;

/// <summary>A host with bridges, and guests behind taps that <c>microvm up</c> made; what <c>reach</c> answers is held against frames.</summary>
internal sealed class ReachedHost : IDisposable
{
    private readonly Folder _folder = new();
    private readonly Dictionary<string, (TappedGuest Guest, string Address)> _guests = [];
    private readonly Dictionary<string, string> _files = [];

    internal Namespace Net { get; } = new();

    internal ReachedHost() => Net.Ip("link", "set", "lo", "up");

    internal void Bridge(string name, string? address)
    {
        Net.Ip("link", "add", name, "type", "bridge");
        Net.Ip("link", "set", name, "up");
        if (address is not null)
        {
            Net.Ip("addr", "add", address, "dev", name);
        }
    }

    /// <summary>Runs a program on the host, which has to succeed.</summary>
    internal string Inside(params string[] command) => DeclaredHost.Run(Net, command);

    internal void Forward(bool on) => Inside("sh", "-c", $"echo {(on ? 1 : 0)} > /proc/sys/net/ipv4/ip_forward");

    /// <summary>A VM with one interface.</summary>
    /// <param name="members">What its interface has besides id and MAC, in JSON.</param>
    internal void Vm(string name, string members, string address, string? gateway, string networks = "", string more = "")
    {
        var id = $"vm-{name}";
        var file = _files[name] = _folder.File($"{name}.json", $$"""{"networking":{"hostName":"{{name}}"},"microvm":{"networks":{ {{networks}} }{{more}},"interfaces":[{"id":"{{id}}","mac":"{{NetworkHost.MacOf(id)}}",{{members}}}] } }""");
        var up = Binary.Microvm("up", "--netns", Net.Name, file);
        Assert.True(up.Code == 0, up.Out + up.Err);
        _guests[name] = (new(Net, id, NetworkHost.MacOf(id), address, gateway), address.Split('/')[0]);
    }

    internal IEnumerable<string> Guests => _guests.Keys;

    internal TappedGuest Of(string guest) => _guests[guest].Guest;

    /// <summary>What <c>reach</c> says: whether, and by which rule.</summary>
    internal (string Reachable, string Rule) Reach(string from, string to, params string[] more)
    {
        var outcome = Binary.Microvm(["reach", "--netns", Net.Name, "--json", .. more, from, to, .. _files.Values]);
        Assert.True(outcome.Code is 0 or 1, outcome.Out + outcome.Err);
        using var json = JsonDocument.Parse(outcome.Out);
        var reachable = json.RootElement.GetProperty("reachable").GetString()!;
        Assert.Equal(reachable == "yes", outcome.Code == 0);
        Assert.True(json.RootElement.GetProperty("firewallRead").GetBoolean());
        return (reachable, json.RootElement.GetProperty("decides").GetProperty("rule").GetString()!);
    }

    internal bool Pings(string from, string to) => from == "host" ? TappedGuest.Pings(Net, _guests[to].Address) : Of(from).Pings(_guests[to].Address);

    /// <summary>Each guest to each other, and the host to each: what is answered is what happens.</summary>
    /// <returns>How many ways were open.</returns>
    internal int Compare(string told)
    {
        var pairs = (from a in Guests.Append("host") from b in Guests where a != b select (a, b)).ToList();
        var pings = pairs.AsParallel().WithDegreeOfParallelism(12).Select(p => (p.a, p.b, Open: Pings(p.a, p.b))).ToList();
        foreach (var (from, to, open) in pings)
        {
            var answer = Reach(from, to);
            Assert.True((answer.Reachable == "yes") == open, $"{told}: {from} to {to} is {(open ? "open" : "closed")}, and reach says {answer}");
        }
        return pings.Count(p => p.Open);
    }

    public void Dispose()
    {
        foreach (var (guest, _) in _guests.Values)
        {
            guest.Dispose();
        }
        Net.Dispose();
        _folder.Dispose();
    }
}
