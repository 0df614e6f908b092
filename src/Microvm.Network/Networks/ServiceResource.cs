using System.Globalization;
using System.Text;
using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network.Applying;

namespace Microvm.Network.Networks;

/// <summary>The dnsmasq of a network: it listens on the bridge alone, and runs as a user of its own. It is told by its pid file and its command line.</summary>
internal static class ServiceResource
{
    private const string Configuration = "dnsmasq.conf", Pid = "pid";

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    private static bool IsWanted(DeclaredNetwork network) => network.Dhcp || network.Dns;

    internal static IEnumerable<Refusal> Faults(NetworkSite site)
    {
        if (!IsWanted(site.Wanted))
        {
            yield break;
        }
        if (NetworkProgram.Missing(NetworkProgram.Dnsmasq) is { } missing)
        {
            yield return Refuse(RefusalKind.ProgramMissing, $"the network '{site.Name}' needs dnsmasq for DHCP and DNS, and {missing}");
            yield break;
        }
        // A DHCP server of one link alone has a socket on every address as well, so nothing can be told of its port.
        if (site.Wanted.Dns && !IsRunning(site.Folder) && ListensEverywhere(53))
        {
            yield return Refuse(RefusalKind.PortTaken, $"the network '{site.Name}' needs port 53 on its bridge, and a program listens there on all addresses; have that listen on single ones (ss -ulpn 'sport = :53' shows it), or declare microvm.networks.{site.Name}.dns = false");
        }

        Refusal Refuse(RefusalKind kind, string text) => new(kind, "", site.BridgeName, NetworkSite.Mark(site.Name), text);
    }

    /// <param name="reload">Whether the files that it reads are going to change.</param>
    internal static IEnumerable<NetworkStep> Up(NetworkSite site, bool reload)
    {
        var text = Text(site);
        if (!IsWanted(site.Wanted))
        {
            if (IsRunning(site.Folder))
            {
                yield return Stop(site.Name, "the declaration no longer has it");
            }
            yield break;
        }
        var isRunning = site.Bridge is not null && IsRunning(site.Folder);
        if (isRunning && NetworkUnit.IsInstalled && !NetworkUnit.IsActive(site.Name) && site.Folder.Read(Configuration) == text)
        {
            // The unit ends the other, which this process may not be able to.
            yield return site.Step(StepKind.Replace, NetworkProgram.Dnsmasq, $"it does not run as {NetworkUnit.Name(site.Name)} yet", _ => NetworkUnit.Start(site.Name));
            yield break;
        }
        if (isRunning && site.Folder.Read(Configuration) == text)
        {
            yield return reload ? Reload(site.Name) : site.Step(StepKind.Keep, NetworkProgram.Dnsmasq, "it is right");
            yield break;
        }
        yield return site.Step(isRunning ? StepKind.Replace : StepKind.Create, NetworkProgram.Dnsmasq, isRunning ? "the declaration asks for other settings" : "it does not run", undo =>
        {
            if (isRunning)
            {
                undo.Push(() => Start(site.Folder));
                End(site.Folder);
            }
            // These two have to be there before it starts, since it watches them.
            foreach (var folder in (string[])[NetworkFolder.Reservations, NetworkFolder.Names])
            {
                using var made = HeldFolder.OpenOrMake($"{site.Folder.Path}/{folder}");
            }
            site.Folder.Write(Configuration, text, undo);
            undo.Push(() => End(site.Folder));
            Start(site.Folder);
        });
    }

    internal static NetworkStep? Down(string network) => IsRunning(new(network)) ? Stop(network, "it is ours") : null;

    /// <summary>Has it read its guests again.</summary>
    internal static NetworkStep Reload(string network) => new(StepKind.Change, network, NetworkProgram.Dnsmasq, "it is to read its guests again", undo =>
    {
        undo.Push(() => Reload(new NetworkFolder(network)));
        Reload(new NetworkFolder(network));
    });

    private static NetworkStep Stop(string network, string reason) => new(StepKind.Delete, network, NetworkProgram.Dnsmasq, reason, undo =>
    {
        var folder = new NetworkFolder(network);
        undo.Push(() => Start(folder));
        End(folder);
    });

    /// <summary>Whether a network that should have a service has none.</summary>
    internal static bool HasEnded(DeclaredNetwork network) => IsWanted(network) && !IsRunning(new(network.Name));

    internal static bool IsRunning(NetworkFolder folder)
    {
        using var process = Process(folder);
        // Out of a unit's sandbox other users' processes can't be seen.
        return process is not null || NetworkUnit.IsActive(folder.Network);
    }

    /// <summary>Becomes the dnsmasq of a network; for its unit.</summary>
    /// <exception cref="LinuxException">The network is not up, or dnsmasq can't be started.</exception>
    internal static void Become(string network)
    {
        var folder = new NetworkFolder(network);
        if (folder.Read(Configuration) is null)
        {
            throw new LinuxException($"start dnsmasq of the network '{Printable.Of(network)}', which is not up", 0);
        }
        using (var before = Process(folder))
        {
            // One that was started before this host had the unit.
            before?.End(s_patience);
        }
        PosixProcess.Exec([NetworkProgram.Find(NetworkProgram.Dnsmasq) ?? NetworkProgram.Dnsmasq, .. Arguments(folder)]);
    }

    private static string[] Arguments(NetworkFolder folder) => [$"--conf-file={folder.Path}/{Configuration}"];

    private static RunningProcess? Process(NetworkFolder folder) =>
        int.TryParse(folder.Read(Pid), NumberStyles.Integer, CultureInfo.InvariantCulture, out var id) ? RunningProcess.Find(id, Arguments(folder)) : null;

    private static void Start(NetworkFolder folder)
    {
        if (IsRunning(folder))
        {
            return;
        }
        if (NetworkUnit.IsInstalled)
        {
            NetworkUnit.Start(folder.Network);
        }
        else
        {
            NetworkProgram.Run(NetworkProgram.Dnsmasq, $"start dnsmasq of the network '{folder.Network}'", null, NetworkProgram.Lendable, Arguments(folder));
        }
    }

    internal static void End(NetworkFolder folder)
    {
        if (NetworkUnit.IsInstalled && !Privileges.Permitted.Has(Capability.Kill) && !NetworkUnit.IsActive(folder.Network) && IsRunning(folder))
        {
            // The one of before the unit is not ours to end in a VM's unit, and is the network's own unit's.
            NetworkUnit.Start(folder.Network);
        }
        NetworkUnit.Stop(folder.Network);
        using var process = Process(folder);
        process?.End(s_patience);
    }

    private static void Reload(NetworkFolder folder)
    {
        if (NetworkUnit.IsActive(folder.Network))
        {
            NetworkUnit.Reload(folder.Network);
            return;
        }
        using var process = Process(folder);
        process?.Reload();
    }

    /// <summary>Whether a socket is bound to a port on every address, as /proc/net tells.</summary>
    private static bool ListensEverywhere(int port)
    {
        var (v4, v6) = ($"00000000:{port:X4}", $"{new string('0', 32)}:{port:X4}");
        return ((string[])["udp", "udp6"]).Any(f => File.Exists($"/proc/thread-self/net/{f}")
            && File.ReadLines($"/proc/thread-self/net/{f}").Any(l => l.Contains($" {v4} ", StringComparison.Ordinal) || l.Contains($" {v6} ", StringComparison.Ordinal)));
    }

    private static string Text(NetworkSite site)
    {
        var (folder, network) = (site.Folder.Path, site.Wanted);
        var text = new StringBuilder($"# Written by microvm for the network '{site.Name}'; 'microvm up' writes it again.\n");
        text.Append($"interface={site.BridgeName}\nbind-dynamic\nexcept-interface=lo\n");
        text.Append($"pid-file={folder}/{Pid}\ndhcp-leasefile={folder}/{Lease.File}\n");
        if (AccountFile.Number(AccountFile.Users, NetworkProgram.Dnsmasq) is not null)
        {
            text.Append($"user={NetworkProgram.Dnsmasq}\n");
        }
        text.Append("no-hosts\n");
        if (network.Dns)
        {
            text.Append($"hostsdir={folder}/{NetworkFolder.Names}\ndomain-needed\nbogus-priv\n");
        }
        else
        {
            text.Append("port=0\n");
        }
        if (network.Domain is { } domain)
        {
            text.Append($"domain={domain}\nlocal=/{domain}/\nexpand-hosts\n");
        }
        if (network.Dhcp)
        {
            Dhcp(text, site, folder);
        }
        return text.ToString();
    }

    private static void Dhcp(StringBuilder text, NetworkSite site, string folder)
    {
        text.Append($"dhcp-authoritative\nquiet-dhcp\nquiet-dhcp6\nquiet-ra\ndhcp-hostsdir={folder}/{NetworkFolder.Reservations}\n");
        if (site.V4 is { } v4)
        {
            var (first, last) = Pool.Upper(v4);
            text.Append($"dhcp-range={first},{last},{Mask(v4.PrefixLength)},1h\n");
            if (!site.Wanted.HasWayOut(v6: false))
            {
                // Without a way out there is no default route.
                text.Append("dhcp-option=option:router\n");
            }
        }
        if (site.Wanted.Mtu is { } mtu)
        {
            text.Append($"dhcp-option=option:mtu,{mtu}\n");
        }
        if (site.V6 is { PrefixLength: 64 } v6)
        {
            var (first, last) = Pool.Upper(v6);
            text.Append($"enable-ra\ndhcp-range={first},{last},slaac,64,1h\n");
            if (!site.Wanted.HasWayOut(v6: true) || !ForwardingResource.CanForward(v6: true))
            {
                text.Append($"ra-param={site.BridgeName},0,0\n");
            }
        }
    }

    private static string Mask(int prefixLength)
    {
        var mask = uint.MaxValue << 32 - prefixLength;
        return $"{mask >> 24}.{mask >> 16 & 255}.{mask >> 8 & 255}.{mask & 255}";
    }
}
