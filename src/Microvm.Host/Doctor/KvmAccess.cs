using Microvm.Declaration;
using Microvm.Hypervisors;

namespace Microvm.Host.Doctor;

/// <summary>Whether VMs can run on the processor itself, and whether the one who runs them is in the group for it.</summary>
public sealed class KvmAccess : ICheck
{
    private const string Node = "/dev/kvm";
    public string Name => "kvm";

    public IEnumerable<Finding> Look(HostView host)
    {
        var processor = host.Lines("/proc/cpuinfo");
        var flags = Accelerator.Flags(processor);
        var virtualization = flags.Contains("vmx") || flags.Contains("svm");
        // Only QEMU can run a guest without KVM.
        var needy = host.Vms.FirstOrDefault(v => HypervisorTable.Find(v.Hypervisor)?.Facts.NeedsKvm == true);
        var bad = needy is null ? Severity.Warning : Severity.Problem;
        var cost = needy is null ? "QEMU falls back to TCG, many times slower; other hypervisors don't start at all" : $"{needy.Hypervisor}, which '{needy.Name}' uses, runs only on KVM";
        var module = flags.Contains("svm") ? "kvm_amd" : "kvm_intel";
        if (host.Security(Node) is not { } node)
        {
            yield return Accelerator.IsArm(processor)
                ? new(Name, bad, $"{Node} is not there: the kernel was not started at EL2, or has no KVM", $"{cost}; the firmware, or the host above, has to start the kernel at EL2")
                : virtualization
                ? new(Name, bad, $"{Node} is not there, though the processor can", host.Kernel(module, "KVM") is false ? $"{cost}; the running kernel has no module {module} to load" : cost, host.Kernel(module, "KVM") is false ? null : $"sudo modprobe {module}")
                : new(Name, bad, $"{Node} is not there, and the processor reports neither vmx nor svm", $"{cost}; switch virtualization on in the firmware, or nested virtualization in the host above");
        }
        else if (!node.ReadableAndWritableBy(host.Person.User, host.Person.Groups))
        {
            const UnixFileMode OfGroup = UnixFileMode.GroupRead | UnixFileMode.GroupWrite;
            var person = Shell.Quote(host.Person.Name);
            yield return (node.Mode & OfGroup) == OfGroup && node.Group != 0
                ? new(Name, bad, $"{host.Person.Name} may not open {Node}, which is for the group {host.GroupName(node.Group)}", cost, $"sudo usermod -aG {Shell.Quote(host.GroupName(node.Group))} {person}   # then log in again")
                : new(Name, bad, $"{host.Person.Name} may not open {Node}, which is for no group", cost, $"sudo chgrp kvm {Node}; sudo chmod 0660 {Node}; sudo usermod -aG kvm {person}   # then log in again");
        }
        else if (!virtualization && host.Exists("/sys/module/kvm_pvm"))
        {
            yield return new(Name, Severity.Warning, $"{Node} is there, but it is kvm_pvm without vmx or svm", "stock kernels hang under it; QEMU's TCG is used instead, many times slower");
        }
        else if (!virtualization && flags.Count > 0)
        {
            yield return new(Name, Severity.Warning, $"{Node} is there, but the processor reports neither vmx nor svm", $"KVM is not trusted here: {cost}");
        }
        else
        {
            yield return new(Name, Severity.Ok, "KVM can be used");
        }
    }
}
