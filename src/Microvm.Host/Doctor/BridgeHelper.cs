using Microvm.Declaration;

namespace Microvm.Host.Doctor;

/// <summary>qemu-bridge-helper: there, privileged, and allowed to touch the declared bridges.</summary>
public sealed class BridgeHelper : ICheck
{
    private const string Acl = "/etc/qemu/bridge.conf";
    private const int CAP_NET_ADMIN = 12;

    /// <summary>Where NixOS, Debian and others keep it.</summary>
    public static IReadOnlyList<string> Places { get; } =
        ["/run/wrappers/bin/qemu-bridge-helper", "/usr/lib/qemu/qemu-bridge-helper", "/usr/libexec/qemu-bridge-helper", "/usr/local/libexec/qemu-bridge-helper"];

    public string Name => "bridge-helper";

    /// <summary>The helper to look at; null for the one at its usual places.</summary>
    public string? Path { get; init; }

    public IEnumerable<Finding> Look(HostView host)
    {
        var users = host.Attachments.Where(a => a.Kind == AttachmentKind.BridgeHelper).ToList();
        var bad = users.Count > 0 ? Severity.Problem : Severity.Note;
        if ((Path ?? Places.FirstOrDefault(host.Exists)) is not { } path || host.Security(path) is not { } helper)
        {
            yield return new(Name, bad, "there is no qemu-bridge-helper", "QEMU starts it for interfaces of type bridge; taps with a bridge do without", "sudo apt install qemu-system-common");
            yield break;
        }
        var privileged = host.Person.User == 0 || (helper.Capabilities & 1ul << CAP_NET_ADMIN) != 0 || ((helper.Mode & UnixFileMode.SetUser) != 0 && helper.User == 0);
        yield return privileged
            ? new(Name, Severity.Ok, $"{path} has the privileges it needs{(host.Person.User == 0 ? " when root starts it" : "")}")
            : new(Name, bad, $"{path} is neither set-user-ID root nor has it CAP_NET_ADMIN", $"started by {host.Person.Name} it can't make a tap", $"sudo setcap cap_net_admin+ep {path}");
        BridgeRules? rules = null;
        try
        {
            rules = users.Count == 0 ? null : new(Acl, host.Read);
        }
        catch (UnauthorizedAccessException)
        {
            // The helper has more rights than we do.
        }
        foreach (var bridge in users.Select(a => a.Interface.Bridge!.Value.Value).Distinct())
        {
            yield return rules is null ? new(Name, Severity.Note, $"{Acl} can't be read (permission denied), so it may or may not allow {bridge}", null, "sudo microvm doctor")
                : rules.Allows(bridge) ? new(Name, Severity.Ok, $"{Acl} allows {bridge}")
                : rules.Fault is { } fault && host.Exists(Acl) ? new(Name, Severity.Problem, fault, "qemu-bridge-helper refuses every bridge because of it", $"sudoedit {Acl}")
                : rules.Denies(bridge) ? new(Name, Severity.Problem, $"{Acl} denies {bridge}", "a deny outweighs every allow; it may stand in a file that is included", $"sudoedit {Acl}")
                : new(Name, Severity.Problem, $"{Acl} does not allow {bridge}", "qemu-bridge-helper refuses every bridge that it does not list",
                    $"sudo mkdir -p /etc/qemu; echo {Shell.Quote($"allow {bridge}")} | sudo tee -a {Acl}");
        }
    }
}
