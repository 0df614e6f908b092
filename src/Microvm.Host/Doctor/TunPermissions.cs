using Microvm.Declaration;

namespace Microvm.Host.Doctor;

/// <summary>Whether the one who runs VMs may open /dev/net/tun.</summary>
public sealed class TunPermissions : ICheck
{
    private const string Node = "/dev/net/tun";
    public string Name => "tun-permissions";

    public IEnumerable<Finding> Look(HostView host)
    {
        var wanted = host.Vms.Count == 0 || host.Declares(InterfaceType.Tap) || host.Declares(InterfaceType.Bridge);
        if (host.Security(Node) is not { } node)
        {
            yield return new(Name, wanted ? Severity.Problem : Severity.Note, $"{Node} is not there", "every tap is opened through it",
                $"sudo modprobe tun; test -e {Node} || sudo sh -c 'mkdir -p /dev/net && mknod -m 0666 {Node} c 10 200'");
        }
        else if (!node.ReadableAndWritableBy(host.Person.User, host.Person.Groups))
        {
            yield return new(Name, wanted ? Severity.Problem : Severity.Warning, $"{host.Person.Name} may not open {Node} (mode {Octal(node.Mode)})",
                "a hypervisor that runs as this user can't open its tap, though it owns it", $"sudo chmod 0666 {Node}");
        }
        else if (host.Person.User == 0 && !node.ReadableAndWritableBy(uint.MaxValue, []))
        {
            yield return new(Name, Severity.Note, $"only root may open {Node} (mode {Octal(node.Mode)})",
                "a hypervisor that runs as another user, as it should, can't open its tap; making a tap needs CAP_NET_ADMIN whatever the mode", $"sudo chmod 0666 {Node}");
        }
        else
        {
            yield return new(Name, Severity.Ok, $"{host.Person.Name} may open {Node}");
        }
    }

    private static string Octal(UnixFileMode mode) => "0" + Convert.ToString((int)mode & 0xfff, 8);
}
