using Microvm.Declaration;

namespace Microvm.Host.Doctor;

/// <summary>What the kernel must be able to do for each type: tun, macvtap, bridge, and mirred where a tap stands in for a macvtap.</summary>
public sealed class KernelFeatures : ICheck
{
    public string Name => "kernel";

    public IEnumerable<Finding> Look(HostView host)
    {
        var needsRedirect = host.Attachments.Any(a => a.Kind is AttachmentKind.TapRedirect or AttachmentKind.UserNamespace);
        yield return Judge(host, "tun", "TUN", "taps can't be made", needed: host.Vms.Count == 0 || host.Declares(InterfaceType.Tap) || host.Declares(InterfaceType.Bridge));
        yield return Judge(host, "macvtap", "MACVTAP", "interfaces of type macvtap can't be made", host.Declares(InterfaceType.Macvtap));
        yield return Judge(host, "bridge", "BRIDGE", "there can be no bridge for taps and interfaces of type bridge", host.Interfaces.Any(i => i.Bridge is not null));
        yield return Judge(host, "act_mirred", "NET_ACT_MIRRED", "macvtap and user interfaces can't be joined to a hypervisor that takes only a tap", needsRedirect);
    }

    private Finding Judge(HostView host, string module, string option, string why, bool needed) => host.Kernel(module, option) switch
    {
        true => new(Name, Severity.Ok, $"the kernel has {module}"),
        // The kernel loads it by itself on first use, where that is not forbidden.
        null when host.Sysctl("kernel.modules_disabled") == 1 => new(Name, needed ? Severity.Problem : Severity.Note, $"{module} is not loaded, and this kernel takes no more modules (kernel.modules_disabled=1)",
            $"without it {why}; nothing undoes that setting before the next boot", $"echo {module} | sudo tee /etc/modules-load.d/{module}.conf   # then reboot"),
        null => new(Name, Severity.Ok, $"{module} is a module that can be loaded"),
        false => new(Name, needed ? Severity.Problem : Severity.Note, $"the kernel has no {module}", $"without it {why}; the running kernel has no such module to load, so it takes another kernel, or its package of further modules"),
    };
}
