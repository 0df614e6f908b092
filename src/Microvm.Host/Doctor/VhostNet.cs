namespace Microvm.Host.Doctor;

/// <summary>Whether the kernel can move packets between a tap and a guest without waking the hypervisor.</summary>
public sealed class VhostNet : ICheck
{
    public string Name => "vhost-net";

    public IEnumerable<Finding> Look(HostView host)
    {
        var wanted = host.Interfaces.FirstOrDefault(i => i.Vhost);
        if (wanted is not null && host.Security("/dev/vhost-net") is { } node && !node.ReadableAndWritableBy(host.Person.User, host.Person.Groups))
        {
            yield return new(Name, Severity.Problem, $"{host.Person.Name} may not open /dev/vhost-net (mode 0{Convert.ToString((int)node.Mode, 8)})",
                $"'{wanted.Id}' sets tap.vhost, and its hypervisor opens it", "sudo chmod 0666 /dev/vhost-net");
            yield break;
        }
        yield return host.Kernel("vhost_net", "VHOST_NET") switch
        {
            false => new(Name, wanted is null ? Severity.Note : Severity.Problem, "the kernel has no vhost_net",
                wanted is null ? "only tap.vhost needs it; without it every packet goes through the hypervisor's process" : $"'{wanted.Id}' sets tap.vhost; remove that: the running kernel has no such module to load"),
            null when !host.Exists("/dev/vhost-net") => new(Name, wanted is null ? Severity.Note : Severity.Warning, "vhost_net can be loaded but is not",
                "tap.vhost needs it; most kernels load it when /dev/vhost-net is opened", "sudo modprobe vhost_net"),
            _ => new(Name, Severity.Ok, "the kernel has vhost_net"),
        };
    }
}
