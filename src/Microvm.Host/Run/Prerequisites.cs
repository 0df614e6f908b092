using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Host.Run;

/// <summary>What the host must have besides the interfaces themselves; told before somebody else fails for want of it.</summary>
public static class Prerequisites
{
    private const string Tun = "/dev/net/tun", Vhost = "/dev/vhost-net";
    private static readonly AttachmentKind[] s_taps = [AttachmentKind.TapByName, AttachmentKind.TapRedirect, AttachmentKind.UserNamespace];

    /// <summary>What is missing for one who runs a VM with these attachments, each with the command that mends it.</summary>
    /// <param name="inside">Within the namespace of a user network: the host's ports are slirp4netns', which stayed outside.</param>
    public static IEnumerable<string> Faults(MicrovmConfig vm, IReadOnlyList<Attachment> attachments, bool inside)
    {
        if (attachments.FirstOrDefault(a => s_taps.Contains(a.Kind)) is { } byName)
        {
            // The hypervisor opens it, as whom it will run.
            string? fault;
            using (Caller.ActAsStarter())
            {
                fault = TunFault();
            }
            if (fault is not null)
            {
                yield return $"'{byName.Interface.Id}' is opened through {Tun}, {fault}";
            }
        }
        else if (attachments.FirstOrDefault(a => a.Kind == AttachmentKind.TapByFd && a.Interface.Type != InterfaceType.Macvtap) is { } inherited && TunFault() is { } fault)
        {
            yield return $"'{inherited.Interface.Id}' is opened through {Tun}, {fault}";
        }
        if (attachments.FirstOrDefault(a => a.Kind == AttachmentKind.UserNamespace) is { } user && SearchPath.Find("slirp4netns") is null)
        {
            yield return $"'{user.Interface.Id}' needs slirp4netns, which is not on the PATH; install it (Debian: sudo apt install slirp4netns)";
        }
        foreach (var fault in OfHost(vm, attachments, inside))
        {
            yield return fault;
        }
    }

    /// <summary>What the host lacks that no link shows: vhost, and ports to be forwarded. Looked at as whoever starts the VM.</summary>
    public static IReadOnlyList<string> OfHost(MicrovmConfig vm, IReadOnlyList<Attachment> attachments, bool inside = false)
    {
        using (Caller.ActAsStarter())
        {
            return [.. attachments.Where(a => a.Interface.Vhost).Select(a => VhostFault(a.Interface)).OfType<string>(),
                .. inside ? [] : vm.ForwardPorts.Where(p => p.From == "host").Select(HostPorts.Fault).OfType<string>()];
        }
    }

    /// <summary>Why a VM whose interfaces ask for vhost could not have it, or null. Without the device QEMU ends in an assertion.</summary>
    private static string? VhostFault(NetworkInterface i)
    {
        var why = $"'{i.Id}' asks for tap.vhost, and ";
        if (!File.Exists(Vhost))
        {
            return $"{why}there is no {Vhost}; load it with: sudo modprobe vhost_net, or leave tap.vhost out";
        }
        try
        {
            using var _ = File.OpenHandle(Vhost, FileMode.Open, FileAccess.ReadWrite);
            return null;
        }
        catch (UnauthorizedAccessException)
        {
            return $"{why}user {PosixProcess.EffectiveUser} may not open {Vhost}; fix it with: sudo chmod 0666 {Vhost}, or leave tap.vhost out";
        }
        catch (IOException)
        {
            return $"{why}{Vhost} can't be opened; load it with: sudo modprobe vhost_net, or leave tap.vhost out";
        }
    }

    private static string? TunFault()
    {
        // Root may open it whatever its mode; for whom root works, the hypervisor will tell.
        if (PosixProcess.EffectiveUser == 0)
        {
            return File.Exists(Tun) ? null : "which is not there; load it with: sudo modprobe tun";
        }
        try
        {
            using var _ = File.OpenHandle(Tun, FileMode.Open, FileAccess.ReadWrite);
            return null;
        }
        catch (UnauthorizedAccessException)
        {
            return $"which user {PosixProcess.EffectiveUser} may not open; fix it with: sudo chmod 0666 {Tun}";
        }
        catch (IOException)
        {
            return "which can't be opened; load it with: sudo modprobe tun";
        }
    }
}
