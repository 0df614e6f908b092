using Microvm.Linux;

namespace Microvm.Network.Networks;

/// <summary>The unit that has a network's dnsmasq, on a host where <c>microvm host install</c> put its template: systemd starts it again where it ended,
/// and the units of VMs, which may start no server themselves, have it started there. Only networks of the host's own network namespace have one.</summary>
internal static class NetworkUnit
{
    private const string Template = "microvm-network@.service";

    /// <summary>Where systemd looks for units (systemd.unit(5)).</summary>
    private static readonly string[] s_folders = ["/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];

    internal static string Name(string network) => $"microvm-network@{network}.service";

    /// <summary>Whether this host's units are there, whatever the network namespace.</summary>
    internal static bool HasTemplate => Directory.Exists("/run/systemd/system") && s_folders.Any(f => File.Exists($"{f}/{Template}"));

    /// <summary>Whether networks of this network namespace have it.</summary>
    internal static bool IsInstalled => NetworkNamespace.IsHosts && HasTemplate;

    internal static bool IsActive(string network) => State(network) is "active" or "reloading";

    internal static void Start(string network) => Do(network, "start", "start");

    /// <summary>Does nothing where it does not run, nor waits to be started again.</summary>
    internal static void Stop(string network)
    {
        if (State(network) is not (null or "inactive"))
        {
            Do(network, "stop", "stop");
        }
    }

    /// <summary>Has dnsmasq read its files again.</summary>
    internal static void Reload(string network) => Do(network, "reload", "kill", "--signal=SIGHUP", "--kill-who=main");

    private static string? State(string network) => !IsInstalled ? null
        : NetworkProgram.Run(NetworkProgram.Systemctl, $"ask for the state of {Name(network)}", null, default, "show", "--property=ActiveState", "--value", "--", Name(network)).Trim();

    private static void Do(string network, string what, params string[] verb)
    {
        try
        {
            _ = NetworkProgram.Run(NetworkProgram.Systemctl, $"{what} dnsmasq of the network '{network}'", null, default, [.. verb, "--", Name(network)]);
        }
        catch (LinuxException e) when (what == "start")
        {
            throw new LinuxException($"{e.Message}; dnsmasq's own words: journalctl -u {Name(network)}", 0);
        }
    }
}
