using Microvm.Declaration;
using Microvm.Host.Run;
using Microvm.Hypervisors;

namespace Microvm.Host.Doctor;

/// <summary>The programs that we start: nix, slirp4netns, the declared hypervisors.</summary>
public sealed class Programs : ICheck
{
    public string Name => "programs";

    public IEnumerable<Finding> Look(HostView host)
    {
        yield return host.Program("nix-instantiate") is { } nix
            ? new(Name, Severity.Ok, $"nix is {nix}")
            : new(Name, Severity.Note, "there is no nix-instantiate on the PATH", "declarations in .nix files can't be read; JSON can", "sudo apt install nix-bin");
        var needsSlirp = host.Attachments.FirstOrDefault(a => a.Kind == AttachmentKind.UserNamespace);
        yield return host.Program("slirp4netns") is { } slirp
            ? new(Name, Severity.Ok, $"slirp4netns is {slirp}")
            : new(Name, needsSlirp is null ? Severity.Note : Severity.Problem, "there is no slirp4netns on the PATH",
                needsSlirp is null ? "interfaces of type user need it with hypervisors that have no user-mode network of their own (all but qemu and kvmtool)" : $"'{needsSlirp.Interface.Id}' of '{needsSlirp.Vm}' is of type user and its hypervisor has no user-mode network of its own",
                "sudo apt install slirp4netns");
        if (host.Vms.FirstOrDefault(v => v.RegistersWithMachined) is { } registered)
        {
            yield return host.Program("machinectl") is { } machined
                ? new(Name, Severity.Ok, $"machinectl is {machined}")
                : new(Name, Severity.Warning, "there is no machinectl on the PATH, and so no systemd-machined", $"'{registered.Name}' asks to be registered with it, and runs without that", "sudo apt install systemd-container");
        }
        foreach (var (name, package) in host.Vms.Select(v => (v.Hypervisor, DeclaredPrograms.Package(v))).Distinct())
        {
            var program = HypervisorTable.Find(name)?.Facts.ProgramOn(host.Architecture) ?? name;
            var first = host.Vms.First(v => v.Hypervisor == name && DeclaredPrograms.Package(v) == package).Name;
            if (package is not null)
            {
                var path = $"{package.TrimEnd('/')}/bin/{program}";
                yield return host.Exists(path) ? new(Name, Severity.Ok, $"{name} of '{first}' is {path}")
                    : new(Name, Severity.Problem, $"there is no {Declaration.Printable.Of(path)}, which microvm.{name}.package names", $"'{first}' can't start without it");
                continue;
            }
            yield return host.Program(program) is { } found
                ? new(Name, Severity.Ok, $"{name} is {found}")
                : new(Name, Severity.Problem, $"there is no {program} on the PATH", $"'{first}' can't start without it",
                    name switch { "qemu" => $"sudo apt install qemu-system-{(host.Architecture == System.Runtime.InteropServices.Architecture.Arm64 ? "arm" : "x86")}", "kvmtool" => "sudo apt install kvmtool", _ => null });
        }
        foreach (var group in host.Vms.GroupBy(v => v.Hypervisor))
        {
            var facts = HypervisorTable.Find(group.Key)?.Facts;
            if (facts is null)
            {
                continue;
            }
            yield return new(Name, Severity.Ok, $"{group.Key} ran as {facts.Ran}; it boots {facts.Kernels}{(facts.KernelNote is { } note ? $" ({note})" : "")}");
            yield return new(Name, facts.CanBeAsked ? Severity.Ok : Severity.Note, $"{group.Key}, when it is stopped: {facts.StopText}");
            foreach (var vm in group)
            {
                if (KernelImage.Fault(vm, new HostFacts(Kvm: true, host.Architecture), host.Head) is { } fault)
                {
                    yield return new(Name, Severity.Problem, fault, $"'{vm.Name}' would not boot");
                }
            }
        }
    }
}
