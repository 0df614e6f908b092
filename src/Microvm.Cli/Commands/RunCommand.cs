using System.CommandLine;
using System.Runtime.InteropServices;
using Microvm.Declaration;
using Microvm.Host;
using Microvm.Host.GuestConsole;
using Microvm.Host.Run;
using Microvm.Hypervisors;
using Microvm.Linux;
using Microvm.Network;

namespace Microvm.Cli.Commands;

internal static class RunCommand
{
    private static readonly Option<string?> s_helper = new("--bridge-helper") { Description = "The qemu-bridge-helper to use (default: the one in its usual location)", HelpName = "PATH" };
    private static readonly Option<bool> s_dry = new("--dry-run") { Description = "Print what would be opened, created and started, and change nothing; exit with 1 if something is missing" };

    /// <summary>What 'run' passes to itself where it starts itself again in the namespaces of a user network.</summary>
    internal static readonly Option<string?> Inside = new("--inside") { Hidden = true };

    internal static Command Create() => Verb.Define("run", "Start the VM: this process becomes the hypervisor, or, at a terminal, has the guest's console",
        ["microvm run vm.nix", "microvm run --dry-run vm.nix", "microvm run --attachment net=user-namespace vm.nix", "microvm run host.nix --vm web"], Run,
        CommonOptions.Files, ChosenVm.Option, s_dry, CommonOptions.Json, s_helper, CommonOptions.Attachment, CommonOptions.Netns, Consent.Trust, Inside);

    private static int Run(ParseResult result)
    {
        var files = result.GetValue(CommonOptions.Files)!;
        if (files.Length != 1)
        {
            throw new UsageException("'run' takes one declaration; start each VM by its own 'run'");
        }
        if (result.GetValue(CommonOptions.Json) && !result.GetValue(s_dry))
        {
            throw new UsageException("--json goes with --dry-run; what runs prints the guest's console");
        }
        if (HostSession.Read(result, CommonOptions.Files) is not { } vms)
        {
            return 2;
        }
        var vm = ChosenVm.Of(result, vms);
        if (HostSession.Attach([vm], result) is not { } attachments)
        {
            return 2;
        }
        if (vm.Hypervisor == "vfkit")
        {
            throw new UsageException("vfkit runs on macOS only; 'microvm command' prints its command line, or choose another microvm.hypervisor");
        }
        if ((HypervisorTable.Missing(vm, Nix.NixFrontDoor.IsFlake(files[0])) ?? UserNetwork.Refusal(vm, attachments)) is { } missing)
        {
            Console.Error.WriteLine($"microvm: '{vm.Name}': {missing}");
            return 2;
        }
        return Start(result, files[0], vm, attachments);
    }

    private static int Start(ParseResult result, string file, MicrovmConfig vm, IReadOnlyList<Attachment> attachments)
    {
        var inside = result.GetValue(Inside) is { } passed ? UserNetwork.Inside.Parse(passed) : null;
        var user = inside is null ? DeclaredUser.Find(vm) : null;
        var wanted = DesiredLink.Of(attachments, null, null).ToList();
        using var route = new RouteSocket();
        var state = wanted.Count == 0 ? HostState.Of([]) : HostState.Read(route, wanted);
        if (user is null && Caller.Behind is { } owner && Preflight.AllBelongTo(owner.Id, wanted, state))
        {
            Console.Error.WriteLine($"microvm: the VM runs as {owner.Name}, whom its declaration and its taps belong to");
            user = owner;
        }
        var dry = result.GetValue(s_dry);
        var (id, name) = user is null ? (Caller.User, $"user {Caller.User}") : (user.Id, $"user {user.Name}");
        Privilege.StartAs(user);
        // First of all who has it already: nothing else that is told helps then.
        var faults = Held(file, vm, wanted, state, inside is not null).ToList();
        faults.AddRange(Prerequisites.Faults(vm, attachments, inside is not null));
        faults.AddRange(StoreBuild.Words(file, vm));
        if (!dry && Told(faults))
        {
            return 1;
        }
        if (!dry && attachments.FirstOrDefault(a => a.Kind == AttachmentKind.UserNamespace) is { } own)
        {
            AskConsent();
            JoinUserNetwork(vm, own, inside);
        }
        var helper = result.GetValue(s_helper) ?? BridgeHelperProgram.Find();
        faults.AddRange(Faults(result, file, vm, attachments, wanted, state, helper));
        foreach (var (link, why, mac) in Preflight.Unreached(wanted, state))
        {
            // Not refused: who makes links by hand may mend them while the VM runs.
            var place = result.GetValue(CommonOptions.Netns) is { } netns ? $"-n {Shell.Quote(netns)} " : "";
            Console.Error.WriteLine($"microvm: note: '{link}' {why}, so nothing reaches the guest; fix it with: sudo ip {place}link set dev {Shell.Quote(link)}{(mac is { } address ? $" address {address}" : "")} up");
        }
        foreach (var note in WirelessCard.Notes(attachments, () => state.Links))
        {
            Console.Error.WriteLine($"microvm: note: {note}");
        }
        bool kvm;
        using (Caller.ActAsStarter())
        {
            kvm = Accelerator.KvmUsable();
        }
        var hypervisor = HypervisorTable.Find(vm.Hypervisor)!;
        var facts = new HostFacts(kvm, RuntimeInformation.OSArchitecture)
        {
            Mtus = Mtus(attachments, state, route),
            BridgeHelper = helper ?? HostFacts.DebianBridgeHelper,
            MacvtapNodes = state.Links.Where(l => state.Nodes.ContainsKey(l.Index)).ToDictionary(l => l.Name, l => state.Nodes[l.Index].Path),
        };
        var invocation = hypervisor.Render(vm, attachments, facts);
        if (!dry && Told(faults))
        {
            return 1;
        }
        AskConsent();
        if (vm.Hypervisor == "qemu" && !dry)
        {
            Console.Error.WriteLine(kvm ? "microvm: running on KVM" : "microvm: KVM can't be used here; running on TCG, which is slower");
        }
        using var queues = new QueueDescriptors(dry ? [] : invocation.Queues, dry ? [] : attachments, state);
        Privilege.GiveUpFor(attachments);
        // Its program may be asked for its version, as whom it will run.
        facts = HypervisorProcess.Look(vm, attachments, invocation.Words[0], facts);
        invocation = hypervisor.Render(vm, attachments, facts);
        List<string> unfit = [.. HypervisorProcess.Faults(vm, attachments, invocation, facts)];
        if (dry)
        {
            DryRun.Print(DryRun.Of(vm, attachments, invocation, user, [.. faults, .. unfit]), result.GetValue(CommonOptions.Json));
            return faults.Count + unfit.Count == 0 ? 0 : 1;
        }
        if (Told(unfit))
        {
            return 1;
        }
        using var socket = invocation.Control is { Kind: not ControlKind.Kvmtool } control ? ControlSocketGuard.Take(control.Path) : null;
        Volumes.Create(vm.Volumes, image => Console.Error.WriteLine($"microvm: making the volume {Printable.Of(image)}"));
        UserScript.PreStart(vm.PreStart);
        foreach (var made in invocation.Files)
        {
            AtomicFile.Write(made.Name, made.Content);
        }
        if (vm.RegistersWithMachined && Environment.GetEnvironmentVariable("INVOCATION_ID") is null)
        {
            Console.Error.WriteLine($"microvm: note: '{Printable.Of(vm.Name)}' is not registered with systemd-machined: its unit does that ('microvm create', then 'microvm start')");
        }
        foreach (var missing in HypervisorProcess.LeftOut(vm, attachments, facts))
        {
            Console.Error.WriteLine($"microvm: note: {missing}");
        }
        string[] words = [.. invocation.Words, .. UserScript.ExtraArguments(vm.ExtraArgsScript)];
        HypervisorProcess.Prepare(vm, invocation, facts, told => Console.Error.WriteLine($"microvm: note: {told}"));
        int[] handed = [.. queues.Numbers, .. socket is null ? [] : (int[])[socket.Descriptor]];
        var calledAs = vm.Hypervisor == "qemu" ? null : invocation.ProcessName;
        if (ForegroundRun.IsWanted)
        {
            Tell($"this terminal is the guest's console, Ctrl-C included; to end '{Printable.Of(vm.Name)}': {ConsoleKeys.Key}, or {Ending(result, files: result.GetValue(CommonOptions.Files)!, vm)}");
            return new ForegroundRun(vm, invocation.Control, Tell).Run(words, calledAs, handed, () => { queues.Dispose(); socket?.Dispose(); });
        }
        PosixProcess.Exec(words, calledAs, handed);
        return 1;

        static void Tell(string told) => Console.Error.WriteLine($"microvm: {told}");

        // Only when nothing else prevents the start, and before anything from the declaration runs.
        void AskConsent()
        {
            if (!dry && inside is null)
            {
                Consent.AskOnce(result, file, vm, DeclaredPrograms.OfRun(vm, name), id);
            }
        }
    }

    /// <summary>How a VM in the foreground is ended: where it has no control socket, nothing but its process can be asked, which this one becomes.</summary>
    private static string Ending(ParseResult result, string[] files, MicrovmConfig vm) =>
        vm.Socket is not null && files[0] != "-" && HypervisorTable.Find(vm.Hypervisor)!.Facts.Stop != StopWay.Signal
            ? $"power it off inside, or in another terminal: microvm shutdown {Printable.Of(Shell.Quote(files[0]), int.MaxValue)}{(result.GetValue(ChosenVm.Option) is { } name ? $" --vm {Shell.Quote(name)}" : "")}"
            : $"power it off inside, or in another terminal: kill {Environment.ProcessId}";

    /// <summary>The MTU of each interface's link: of the bridge, where qemu-bridge-helper makes a tap with that.</summary>
    private static Dictionary<string, uint> Mtus(IReadOnlyList<Attachment> attachments, HostState state, RouteSocket route)
    {
        var seen = attachments.Any(a => a.Kind == AttachmentKind.BridgeHelper) && state.Links.Count == 0 ? HostState.Of(route.Links(statistics: false)) : state;
        return (from a in attachments
                let name = a.Kind == AttachmentKind.BridgeHelper ? a.Interface.Bridge?.Value : a.Kind.Facts().HasLink ? a.Interface.Id.Value : null
                let mtu = name is null ? null : seen.MtuOf(name)
                where mtu is not null
                select (a.Interface.Id.Value, mtu.Value)).ToDictionary();
    }

    private static bool Told(List<string> faults)
    {
        faults.ForEach(f => Console.Error.WriteLine($"microvm: {f}"));
        return faults.Count > 0;
    }

    /// <summary>What of the VM somebody has already: it, or another in its place, runs.</summary>
    private static IEnumerable<string> Held(string file, MicrovmConfig vm, List<DesiredLink> wanted, HostState state, bool inside)
    {
        var end = vm.Socket is null ? "end that one first" : $"end that one first: microvm shutdown {Shell.Quote(file)}";
        // kvmtool chooses the path by itself.
        var path = vm.Hypervisor == "kvmtool" ? StaleSocket.OfKvmtool(vm.Name) : vm.Socket;
        if (path is { } socket && !inside && ControlSocketGuard.Holder(socket) is { } server)
        {
            yield return $"the control socket {Printable.Of(socket)} is served by {server} already, so '{vm.Name}' runs; {end}";
        }
        foreach (var (name, kind, holder) in Preflight.Held(wanted, state))
        {
            yield return $"the {kind} '{name}' is open in {holder} already, which would lose its packets; {end}";
        }
    }

    /// <summary>Outside: becomes the same command within namespaces. Inside: joins the tap.</summary>
    private static void JoinUserNetwork(MicrovmConfig vm, Attachment user, UserNetwork.Inside? inside)
    {
        if (inside is null)
        {
            Privileges.LeaveTo(CapabilitySet.Of(Capability.SetFcap));
            Caller.Become();
            var words = Environment.GetCommandLineArgs()[1..];
            var run = Array.IndexOf(words, "run") + 1;
            UserNetwork.Enter(vm, i => [.. words[..run], $"{Inside.Name}={i}", .. words[run..]]);
        }
        UserNetwork.Join(inside!, user.Interface.Id.Value);
    }

    private static IEnumerable<string> Faults(ParseResult result, string file, MicrovmConfig vm, IReadOnlyList<Attachment> attachments, List<DesiredLink> wanted, HostState state, string? helper)
    {
        var netns = result.GetValue(CommonOptions.Netns) is { } name ? $"--netns {Shell.Quote(name)} " : "";
        var choices = string.Concat(result.GetValue(CommonOptions.Attachment)!.Select(c => $"--attachment {Shell.Quote(c)} "));
        // With microvm.user, 'up' gives the links to that user by itself.
        // For root by itself 'up' would choose the user microvm.
        var owner = vm.User is not null || Caller.User != PosixProcess.EffectiveUser ? "" : Caller.User == 0 ? "--user root " : $"--user {Caller.User} ";
        var links = Preflight.Faults(wanted, state, Caller.User, Caller.Groups).Select(f => $"{f}: sudo microvm up {owner}{netns}{choices}{Shell.Quote(file)}");
        var bridges = attachments.Any(a => a.Kind == AttachmentKind.BridgeHelper) ? BridgeHelperProgram.Faults(attachments, helper, Caller.User) : [];
        return [.. links, .. bridges, .. VirtiofsDaemons.Faults(vm, file)];
    }
}
