using Microvm.Declaration;

namespace Microvm.Hypervisors;

/// <summary>Collects what one hypervisor can't do with one declaration.</summary>
public sealed class Findings(MicrovmConfig vm, string hypervisor, DiagnosticBag diagnostics)
{
    /// <summary>An error at an option of <c>microvm</c>, like <c>balloon</c> or <c>qemu.machine</c>.</summary>
    public void Refuse(string option, string why) => Refuse(vm.PositionOf(option), why);

    /// <summary>An error at a place.</summary>
    public void Refuse(SourcePosition at, string why) => diagnostics.Error(at, why);

    /// <summary>An error at an option if it is set.</summary>
    public void RefuseIf(bool set, string option, string why)
    {
        if (set)
        {
            Refuse(option, why);
        }
    }

    /// <summary>A warning at a place.</summary>
    public void Warn(SourcePosition at, string what) => diagnostics.Warning(at, what);

    /// <summary>A warning at an option.</summary>
    public void Warn(string option, string what) => Warn(vm.PositionOf(option), what);

    /// <summary>Refuses values that would break out of a <c>key=value,key=value</c> argument which has no way to quote them.</summary>
    /// <param name="forbidden">The characters that the hypervisor's parser splits at.</param>
    public void Unquotable(ReadOnlySpan<char> forbidden)
    {
        foreach (var (at, value) in Values())
        {
            if (value is not null && value.AsSpan().IndexOfAny(forbidden) is >= 0 and var i)
            {
                Refuse(at, $"'{Printable.Of(value)}' has a '{value[i]}' in it, at which {hypervisor} splits its arguments, and there is no way to quote it; choose another name");
            }
        }
    }

    private IEnumerable<(SourcePosition At, string? Value)> Values()
    {
        foreach (var i in vm.Interfaces)
        {
            yield return (i.At, i.Id.Value);
        }
        foreach (var v in vm.Volumes)
        {
            yield return (v.At, v.Image);
            yield return (v.At, v.Serial);
        }
        foreach (var s in vm.Shares)
        {
            yield return (s.At, s.Tag);
            yield return (s.At, s.Source);
            yield return (s.At, s.Socket);
        }
        yield return (vm.PositionOf("storeDisk"), vm.StoreDisk);
        yield return (vm.PositionOf("socket"), vm.Socket);
    }

    /// <summary>Refuses what most hypervisors other than QEMU have no way to do.</summary>
    public void RefuseCommon(bool graphics = false, bool usb = false)
    {
        RefuseIf(vm.Cpu is not null, "cpu", $"{hypervisor} runs the host's CPU model only; leave 'cpu' out, or use QEMU");
        RefuseIf(vm.CredentialFiles.Count > 0, "credentialFiles", $"{hypervisor} has no way to hand credentials to the guest; use QEMU, or a share");
        RefuseIf(vm.Graphics.Enable && !graphics, "graphics.enable", $"a display needs a second process beside {hypervisor}, which isn't started; use QEMU");
        if (!usb)
        {
            foreach (var device in vm.Devices.Where(d => d.Bus == "usb"))
            {
                Refuse(device.At, $"{hypervisor} can't hand over USB devices; hand over the controller on bus pci, or use QEMU");
            }
        }
    }

    /// <summary>Refuses image formats that it can't read.</summary>
    public void ImageTypes(params string[] readable)
    {
        foreach (var volume in vm.Volumes.Where(v => !readable.Contains(v.ImageType)))
        {
            Refuse(volume.At, $"{hypervisor} can't read images of type {volume.ImageType}; convert it: qemu-img convert -O raw");
        }
    }

    /// <summary>Refuses vhost-net where there is none.</summary>
    public void NoVhost()
    {
        foreach (var i in vm.Interfaces.Where(i => i.Vhost))
        {
            Refuse(i.OptionAt, $"{hypervisor} has no vhost-net; leave tap.vhost out, or use qemu, crosvm or stratovirt");
        }
    }

    /// <summary>Why such an interface stands alone, and what to do; an alternative may follow.</summary>
    public static string AloneInNamespace(InterfaceName id, string hypervisor) =>
        $"'{id}' of type user puts {hypervisor} into a network namespace of its own, where it can have no other interface; give the VM that one alone";

    /// <summary>Refuses what can't be beside a user network in a namespace of its own, which slirp4netns makes for hypervisors without one.</summary>
    public void UserNetworkInNamespace()
    {
        if (vm.Interfaces.Count > 1 && vm.Interfaces.FirstOrDefault(i => i.Type == InterfaceType.User) is { } user)
        {
            Refuse(user.At, $"{AloneInNamespace(user.Id, hypervisor)}, or use qemu");
        }
        ForwardsFromHostOnly();
    }

    /// <summary>Refuses forwards from the guest, where slirp4netns beside the hypervisor does the forwarding.</summary>
    private void ForwardsFromHostOnly()
    {
        foreach (var port in vm.ForwardPorts.Where(p => p.From == "guest"))
        {
            Refuse(port.At, $"{hypervisor} gets its user network from slirp4netns, which forwards from the host only; the guest reaches the host's loopback at 10.0.2.2, or use QEMU");
        }
    }
}
