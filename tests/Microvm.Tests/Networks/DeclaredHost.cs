using System.Diagnostics;
using System.Globalization;
using Microvm.Linux;

namespace Microvm.Tests;

/// <summary>A host with declared networks: a network namespace, and another one outside of it with a server.</summary>
internal sealed class DeclaredHost : IDisposable
{
    private readonly Folder _folder = new();
    private readonly List<Namespace> _others = [];
    private readonly string _run;

    internal Namespace Net { get; } = new();

    internal DeclaredHost()
    {
        Net.Ip("link", "set", "lo", "up");
        _run = $"/run/microvm/networks/{string.Concat(Inside("readlink", "/proc/self/ns/net").Where(char.IsAsciiDigit))}";
    }

    /// <summary>The directory of a network's service.</summary>
    internal string FolderOf(string network) => $"{_run}/{network}";

    internal bool HasFolders => Directory.Exists(_run);

    internal int ServiceOf(string network) => int.Parse(File.ReadAllText($"{FolderOf(network)}/pid"), CultureInfo.InvariantCulture);

    /// <summary>Whether it has one now; between the end of one and the next there is no file.</summary>
    internal bool HasService(string network)
    {
        try
        {
            return Runs(ServiceOf(network));
        }
        catch (Exception e) when (e is IOException or FormatException)
        {
            return false;
        }
    }

    internal static bool Runs(int process) => File.Exists($"/proc/{process}/cmdline") && File.ReadAllBytes($"/proc/{process}/cmdline").Length > 0;

    internal string Write(string name, string text) => _folder.File(name, text);

    /// <summary>A declaration of one VM.</summary>
    /// <param name="networks">The members of <c>microvm.networks</c>, in JSON.</param>
    internal string Declare(string vm, string networks, params string[] interfaces) =>
        _folder.File($"{vm}.json", $$"""{"networking":{"hostName":"{{vm}}"},"microvm":{"networks":{ {{networks}} },"interfaces":[{{string.Join(',', interfaces)}}] } }""");

    internal static string Tap(string id, string network, string? address = null) =>
        $$"""{"type":"tap","id":"{{id}}","mac":"{{NetworkHost.MacOf(id)}}","network":"{{network}}"{{(address is null ? "" : $",\"addresses\":[\"{address}\"]")}}}""";

    internal Binary.Outcome Microvm(string command, params string[] rest) => Binary.Microvm([command, "--netns", Net.Name, .. rest]);

    internal string Done(string command, params string[] rest)
    {
        var outcome = Microvm(command, rest);
        Assert.True(outcome.Code == 0, $"{command}: {outcome.Out}{outcome.Err}");
        return outcome.Out;
    }

    /// <summary>Runs a program on the host, which has to succeed.</summary>
    internal string Inside(params string[] command) => Run(Net, command);

    internal static string Run(Namespace where, params string[] command)
    {
        var outcome = Binary.Run("ip", null, ["netns", "exec", where.Name, .. command]);
        Assert.True(outcome.Code == 0, $"{string.Join(' ', command)}: {outcome.Out}{outcome.Err}");
        return outcome.Out;
    }

    /// <summary>All that a network changes: links, addresses, rules, the settings of forwarding.</summary>
    internal string Picture() => Net.Links() + Net.Ip("-j", "addr") + Inside("nft", "list", "ruleset") + Forwarding();

    /// <summary>Where the kernel forwards.</summary>
    internal string Forwarding() =>
        Inside("sh", "-c", "cd /proc/sys/net; for f in ipv4/conf/*/forwarding ipv6/conf/*/forwarding ipv6/conf/*/force_forwarding ipv4/ip_forward; do [ ! -e $f ] || echo $f $(cat $f); done");

    /// <summary>A way out of the host: the link <c>out0</c>, with a router and server at the far end.</summary>
    internal Namespace Outside()
    {
        var far = Other();
        Net.GetsOutTo(far);
        Net.Ip("addr", "add", "2001:db8:1::10/64", "dev", "out0", "nodad");
        far.Ip("addr", "add", "2001:db8:1::1/64", "dev", "far0", "nodad");
        Net.Ip("-6", "route", "add", "default", "via", "2001:db8:1::1");
        return far;
    }

    /// <summary>A guest in a namespace in place of a VM's memory: it is plugged into the bridge, as the tap of that id would be, with its MAC.</summary>
    internal Namespace Guest(string id, string bridge)
    {
        var guest = Other();
        var name = $"g{_others.Count}";
        Net.Ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", guest.Name);
        guest.Ip("link", "set", "eth0", "address", NetworkHost.MacOf(id));
        Net.Ip("link", "set", name, "master", bridge, "up");
        guest.Ip("link", "set", "lo", "up");
        guest.Ip("link", "set", "eth0", "up");
        return guest;
    }

    /// <summary>Has a guest ask for an address by DHCP, and take it.</summary>
    internal string Lease(Namespace guest)
    {
        var script = _folder.File("lease", $"#!/bin/sh\n[ \"$1\" != bound ] || {{ ip addr add $ip/$mask dev $interface; [ -z \"$router\" ] || ip route add default via $router; echo leased $ip dns $dns domain $domain; }}\n");
        System.IO.File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        return Run(guest, "busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-t", "10", "-T", "1", "-s", script);
    }

    internal Namespace Other()
    {
        _others.Add(new());
        _others[^1].Ip("link", "set", "lo", "up");
        return _others[^1];
    }

    public void Dispose()
    {
        foreach (var network in Directory.Exists(_run) ? Directory.GetDirectories(_run) : [])
        {
            if (File.Exists($"{network}/pid") && RunningProcess.Find(ServiceOf(Path.GetFileName(network)), [$"--conf-file={network}/dnsmasq.conf"]) is { } left)
            {
                left.End(TimeSpan.FromSeconds(5));
                left.Dispose();
            }
        }
        if (Directory.Exists(_run))
        {
            Directory.Delete(_run, true);
        }
        _others.ForEach(o => o.Dispose());
        Net.Dispose();
        _folder.Dispose();
    }

    /// <summary>Waits until a guest has an address and a way out by a router advertisement. Both come with it, but not at one time, and a new address can't be used at once.</summary>
    internal static void UntilOnIPv6(Namespace guest, string prefix) => Until("an IPv6 address and a way out by a router advertisement", () =>
        guest.Ip("-6", "addr", "show", "dev", "eth0", "-tentative") is var usable && usable.Contains(prefix, StringComparison.Ordinal) && guest.Ip("-6", "route").Contains("default", StringComparison.Ordinal));

    /// <summary>Waits for what comes by itself.</summary>
    internal static void Until(string what, Func<bool> isSo)
    {
        var limit = Stopwatch.StartNew();
        while (!isSo())
        {
            Assert.True(limit.Elapsed < TimeSpan.FromSeconds(60), what);
            Thread.Sleep(50);
        }
    }
}
