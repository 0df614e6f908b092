using System.ComponentModel;
using System.Diagnostics;
using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Network.Networks;

/// <summary>The programs that a network needs besides the kernel.</summary>
internal static class NetworkProgram
{
    internal const string Nft = "nft", Dnsmasq = "dnsmasq", Systemctl = "systemctl";

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    /// <summary>What may be started with capabilities of ours, and those: nft changes rules; dnsmasq has its ports, reads raw packets, and becomes its own user.</summary>
    internal static readonly CapabilitySet Lendable =
        CapabilitySet.Of(Capability.NetAdmin, Capability.NetRaw, Capability.NetBindService, Capability.SetUid, Capability.SetGid);

    /// <summary>Where a program is; PATH's folders first, and those of system programs, which an ordinary user's PATH lacks, or a unit's on NixOS.</summary>
    internal static string? Find(string program) => SearchPath.Find(program, "/usr/sbin", "/sbin", "/run/current-system/sw/bin");

    /// <summary>What to type where a program is missing; null where it is there.</summary>
    internal static string? Missing(string program) => Find(program) is not null ? null
        : $"there is no '{program}' on this host; install it: sudo apt install {(program == Dnsmasq ? "dnsmasq-base" : "nftables")}";

    /// <summary>Runs a program to its end.</summary>
    /// <returns>Its output.</returns>
    /// <exception cref="LinuxException">It failed, with its own words; or it took longer than half a minute.</exception>
    internal static string Run(string program, string what, string? input, CapabilitySet lent, params string[] arguments)
    {
        var start = new ProcessStartInfo(Find(program) ?? program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["LC_ALL"] = "C";
        Process process;
        try
        {
            using var loan = Privileges.Lend(lent);
            process = SearchPath.Start(start);
        }
        catch (Win32Exception e)
        {
            throw new LinuxException($"{what}: {Missing(program) ?? e.Message}", 0);
        }
        using (process)
        {
            try
            {
                var (code, output, errors) = FinishedProgram.Of(process, program, s_patience, input: input);
                return code == 0 ? output : throw new LinuxException($"{what}: {program} says: {Printable.Lines(errors.Trim())}", 0);
            }
            catch (IOException e)
            {
                throw new LinuxException($"{what}: {e.Message}", 0);
            }
        }
    }
}
