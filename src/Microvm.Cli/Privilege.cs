using System.CommandLine;
using System.CommandLine.Parsing;
using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network.Networks;

namespace Microvm.Cli;

/// <summary>Which privileges each command keeps; all others are given up before it reads anything.</summary>
internal static class Privilege
{
    private static readonly CapabilitySet s_links = CapabilitySet.Of(Capability.NetAdmin, Capability.Chown, Capability.Fowner, Capability.Mknod);

    /// <summary>Who holds an interface open stands in /proc/PID/fd of other users' processes.</summary>
    private static readonly CapabilitySet s_look = CapabilitySet.Of(Capability.SysPtrace, Capability.DacReadSearch);

    /// <summary>What `run` needs before the hypervisor takes its place: to open the queues of a link and the node of a macvtap, and to see who has them already.</summary>
    private static readonly CapabilitySet s_run = CapabilitySet.Of(Capability.NetAdmin, Capability.DacOverride, Capability.SysPtrace);

    /// <summary>Until the declaration is read, it may still name the user to become.</summary>
    private static readonly CapabilitySet s_runAsAnother = new(s_run.Bits | CapabilitySet.Of(Capability.SetUid, Capability.SetGid).Bits);

    /// <summary>A command that is not here keeps all that its caller has: it starts hypervisors or daemons, or installs files.</summary>
    private static readonly Dictionary<string, CapabilitySet> s_kept = new()
    {
        ["check"] = default,
        // As `up`, it tells which macvtap that has to go is open.
        ["plan"] = s_look,
        ["status"] = s_look,
        ["top"] = s_look,
        ["metrics"] = s_look,
        ["topology"] = s_look,
        ["capture"] = CapabilitySet.Of(Capability.NetRaw, Capability.NetAdmin, Capability.DacOverride),
        ["command"] = default,
        // The firewall tells its chains to CAP_NET_ADMIN only; bridge.conf may be for root and a group.
        // Besides, it tells what a running VM has open, as status does.
        ["doctor"] = CapabilitySet.Of(Capability.NetAdmin, Capability.DacReadSearch, Capability.SysPtrace),
        ["explain"] = s_look,
        // Whose the firewall's rules are to tell, as for doctor.
        ["reach"] = CapabilitySet.Of(Capability.NetAdmin),
        ["network list"] = default,
        ["network leases"] = default,
        ["network show"] = default,
        ["network up"] = new(s_links.Bits | s_look.Bits),
        ["network down"] = new(s_links.Bits | s_look.Bits),
        ["ip"] = default,
        ["mac"] = default,
        ["completions"] = default,
        ["man"] = default,
        ["up"] = new(s_links.Bits | s_look.Bits),
        ["down"] = new(s_links.Bits | s_look.Bits),
        ["watch"] = s_links,
    };

    /// <summary>What these need besides, for declared networks: to lend to nft and dnsmasq, and to end a dnsmasq, which runs as a user of its own.</summary>
    private static readonly CapabilitySet s_networks = new(NetworkProgram.Lendable.Bits | CapabilitySet.Of(Capability.Kill).Bits);

    private static bool MakesNetworks(string command) => command is "up" or "down" or "watch" or "network up" or "network down";

    /// <summary>Before the command line is read, for a command that will give up privileges in all its threads.</summary>
    internal static void Begin(string[] args)
    {
        if (args.Length > 0 && s_kept.ContainsKey(args[0]))
        {
            Privileges.CallFinalizerThread();
        }
    }

    /// <summary>At the end, also of a command line that asked for help or was wrong, so that no privilege was given up.</summary>
    internal static void End() => Privileges.LetFinalizerThreadGo();

    /// <summary>Enters the network namespace that the command line names, while that is still allowed, then gives up what the command does not need.</summary>
    /// <exception cref="LinuxException">The namespace can't be entered, or the kernel refused.</exception>
    internal static void Enter(ParseResult result)
    {
        var command = result.CommandResult.Command;
        if (command.Options.Contains(CommonOptions.Netns) && result.GetValue(CommonOptions.Netns) is { } netns)
        {
            NetworkNamespace.Enter(netns);
        }
        var name = Name(result);
        if (s_kept.TryGetValue(name, out var keep))
        {
            Caller.Keep(Files(result));
            Caller.KeepNobody();
            if (MakesNetworks(name))
            {
                // Seen while that may be looked at: only the host's own networks have units.
                _ = NetworkNamespace.IsHosts;
                Privileges.LimitTo(new(keep.Bits | s_networks.Bits), NetworkProgram.Lendable);
                return;
            }
            Privileges.LimitTo(Commands.MetricsCommand.Writes(result) ? new(keep.Bits | CapabilitySet.Of(Capability.DacOverride).Bits) : keep);
        }
        else if (name == "virtiofsd")
        {
            // Declarations are read with the caller's rights; the daemons need root's.
            Caller.Keep(Files(result));
        }
        else if (name == "run")
        {
            if (result.GetValue(Commands.RunCommand.Inside) is { } inside)
            {
                // In a namespace of its own there is no other user to act as.
                _ = Host.Run.UserNetwork.Inside.Parse(inside);
            }
            else
            {
                Caller.Keep(Files(result));
                Caller.KeepNobody();
            }
            Privileges.Prepare(s_runAsAnother);
        }
    }

    /// <summary>With the command that it belongs to: <c>fleet up</c> is not <c>up</c>.</summary>
    private static string Name(ParseResult result) => result.CommandResult is { Command.Name: var name, Parent: CommandResult { Parent: CommandResult, Command.Name: var above } } ? $"{above} {name}" : result.CommandResult.Command.Name;

    /// <summary>The declarations are read. Commands that change links or go on looking do the rest as root alone, so that who wrote a declaration
    /// can't stop or end them half-way; those that write a file yet do that as the caller.</summary>
    /// <param name="networks">Whether a network is declared, or one may have to be taken down.</param>
    /// <param name="rules">Whether addresses of guests are to be guarded, or were: nft does that.</param>
    internal static void Read(ParseResult result, bool networks, bool rules)
    {
        LentStore.Return();
        if (MakesNetworks(Name(result)) && !networks)
        {
            Privileges.Shrink(s_kept[Name(result)], rules ? CapabilitySet.Of(Capability.NetAdmin) : default);
        }
        if (MakesNetworks(Name(result)) || Name(result) is "plan" or "status" or "top" || Name(result) is "metrics" && !(Commands.MetricsCommand.WritesLate(result) && Caller.User != PosixProcess.EffectiveUser))
        {
            Caller.Part();
        }
        else if (Name(result) is "run")
        {
            Caller.LeaveNobody();
        }
    }

    /// <summary>In a thread that speaks with a client of <c>metrics</c>: it keeps what looking takes.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    internal static void Serve() => Privileges.Shrink(s_look);

    /// <summary>The second step of <c>run</c>: as whom the hypervisor will be started is known. Nobody else can be become from here on.</summary>
    /// <param name="user">The user of <c>microvm.user</c>; null for the caller behind sudo, or us.</param>
    internal static void StartAs(PosixUser? user)
    {
        if (user is not null)
        {
            Caller.StartAs(user);
        }
        Privileges.Prepare(s_run);
    }

    /// <summary>Before a hypervisor takes the place of this process: it runs as <see cref="Caller.User"/>, without any capability. Only where
    /// qemu-bridge-helper has to make a tap may that helper gain CAP_NET_ADMIN.</summary>
    internal static void GiveUpFor(IEnumerable<Attachment> attachments)
    {
        if (attachments.Any(a => a.Kind == AttachmentKind.BridgeHelper))
        {
            Privileges.LeaveTo(CapabilitySet.Of(Capability.NetAdmin));
            Caller.Become();
        }
        else
        {
            // In this order: the one needs CAP_SETPCAP, the other nothing, since the caller is our real user.
            Privileges.Limit(default);
            Caller.Become();
        }
    }

    /// <summary>The declarations that the command line names.</summary>
    private static IEnumerable<string> Files(ParseResult result) =>
        result.CommandResult.Command.Arguments.OfType<Argument<string[]>>().SelectMany(a => result.GetValue(a) ?? []).Select(Declarations.FileOf);

    /// <summary>What to do after the kernel said "not permitted".</summary>
    internal static string Hint()
    {
        try
        {
            return Privileges.Permitted.Has(Capability.NetAdmin) ? ""
                : $"; this needs CAP_NET_ADMIN, which user {PosixProcess.EffectiveUser} lacks here: run it with sudo";
        }
        catch (LinuxException)
        {
            return "";
        }
    }
}
