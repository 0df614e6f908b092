using System.CommandLine;
using System.Runtime.InteropServices;
using Microvm.Declaration;
using Microvm.Host;
using Microvm.Host.Run;
using Microvm.Hypervisors;
using Microvm.Linux;
using Microvm.Network;

namespace Microvm.Cli.Commands;

internal static class RunCommand
{
    private static readonly Option<string?> s_helper = new("--bridge-helper") { Description = "The qemu-bridge-helper to use (default: at its usual places)", HelpName = "PATH" };

    internal static Command Create() => Verb.Define("run", "Start the VM in the place of this process",
        ["microvm run vm.nix", "microvm run --attachment net=user-namespace vm.nix"], Run, CommonOptions.Files, s_helper, CommonOptions.Attachment, CommonOptions.Netns);

    private static int Run(ParseResult result)
    {
        var files = result.GetValue(CommonOptions.Files)!;
        if (files.Length != 1)
        {
            throw new UsageException("'run' takes one declaration; start each VM by its own 'run'");
        }
        if (HostSession.Read(result, CommonOptions.Files) is not { } vms || HostSession.Attach(vms, result) is not { } attachments)
        {
            return 2;
        }
        var vm = vms.Count == 1 ? vms[0] : throw new UsageException("'run' starts one VM, and this declares more");
        if (vm.Hypervisor == "vfkit")
        {
            throw new UsageException("vfkit runs on macOS only; 'microvm command' prints its command line, or choose another microvm.hypervisor");
        }
        if (HypervisorTable.Missing(vm) is { } missing)
        {
            Console.Error.WriteLine($"microvm: '{vm.Name}': {missing}");
            return 2;
        }
        var lacking = Prerequisites.Faults(attachments).ToList();
        if (lacking.Count > 0)
        {
            lacking.ForEach(f => Console.Error.WriteLine($"microvm: {f}"));
            return 1;
        }
        if (attachments.FirstOrDefault(a => a.Kind == AttachmentKind.UserNamespace) is { } user && !JoinUserNetwork(vm, attachments, user))
        {
            return 1;
        }
        var wanted = DesiredLink.Of(attachments, null, null).ToList();
        using var route = new RouteSocket();
        var state = wanted.Count == 0 ? HostState.Of([]) : HostState.Read(route, wanted);
        var helper = result.GetValue(s_helper) ?? BridgeHelperProgram.Find();
        if (!Ready(result, files[0], vm, attachments, wanted, state, helper))
        {
            return 1;
        }
        var kvm = Accelerator.KvmUsable();
        var invocation = HypervisorTable.Find(vm.Hypervisor)!.Render(vm, attachments, new HostFacts(kvm, RuntimeInformation.OSArchitecture)
        {
            BridgeHelper = helper ?? HostFacts.DebianBridgeHelper,
            MacvtapNodes = state.Links.Where(l => state.Nodes.ContainsKey(l.Index)).ToDictionary(l => l.Name, l => state.Nodes[l.Index].Path),
        });
        if (vm.Hypervisor == "qemu")
        {
            Console.Error.WriteLine(kvm ? "microvm: running on KVM" : "microvm: KVM can't be used here; running on TCG, which is slower");
        }
        using var queues = new QueueDescriptors(invocation.Queues, state);
        Privilege.GiveUpFor(attachments);
        Volumes.Create(vm.Volumes, image => Console.Error.WriteLine($"microvm: making the volume {Printable.Of(image)}"));
        UserScript.PreStart(vm.PreStart);
        foreach (var file in invocation.Files)
        {
            AtomicFile.Write(file.Name, file.Content);
        }
        PosixProcess.Exec([.. invocation.Words, .. UserScript.ExtraArguments(vm.ExtraArgsScript)], vm.Hypervisor == "qemu" ? null : invocation.ProcessName, queues.Numbers);
        return 1;
    }

    /// <summary>Outside: becomes the same command within namespaces. Inside: joins the tap. False after the reason was printed.</summary>
    private static bool JoinUserNetwork(MicrovmConfig vm, IReadOnlyList<Attachment> attachments, Attachment user)
    {
        if (attachments.Any(a => a != user && a.Kind != AttachmentKind.UserMode))
        {
            Console.Error.WriteLine($"microvm: '{user.Interface.Id}' of type user puts {vm.Hypervisor} into a network namespace of its own, where it can have no other interface; give the VM that one alone, or use qemu");
            return false;
        }
        if (vm.ForwardPorts.Any(p => p.From == "guest"))
        {
            Console.Error.WriteLine("microvm: forwardPorts from the guest is not to be had from slirp4netns; the guest reaches the host's loopback at 10.0.2.2");
            return false;
        }
        if (UserNetwork.Inside is null)
        {
            Privileges.LeaveTo(CapabilitySet.Of(Capability.SetFcap));
            Caller.Become();
            UserNetwork.Enter(Environment.GetCommandLineArgs()[1..]);
        }
        UserNetwork.Join(user.Interface.Id.Value, vm.ForwardPorts);
        return true;
    }

    private static bool Ready(ParseResult result, string file, MicrovmConfig vm, IReadOnlyList<Attachment> attachments, List<DesiredLink> wanted, HostState state, string? helper)
    {
        var netns = result.GetValue(CommonOptions.Netns) is { } name ? $"--netns {Shell.Quote(name)} " : "";
        var choices = string.Concat(result.GetValue(CommonOptions.Attachment)!.Select(c => $"--attachment {Shell.Quote(c)} "));
        var owner = Caller.User == PosixProcess.EffectiveUser && Caller.User != 0 ? $"--user {Caller.User} " : "";
        var faults = Preflight.Faults(wanted, state, Caller.User).Select(f => $"{f}: sudo microvm up {owner}{netns}{choices}{Shell.Quote(file)}").ToList();
        if (attachments.Any(a => a.Kind == AttachmentKind.BridgeHelper))
        {
            faults.AddRange(BridgeHelperProgram.Faults(attachments, helper, Caller.User));
        }
        faults.AddRange(VirtiofsDaemon.Faults(vm));
        faults.ForEach(f => Console.Error.WriteLine($"microvm: {f}"));
        return faults.Count == 0;
    }
}
