using Microvm.Linux;
using Microvm.Network;
using Microvm.Network.Planning;

namespace Microvm.Host.Doctor;

/// <summary>What 'up' would be refused for as this host is now, beyond what the checks of bridges, lower devices and clashes look at one by one:
/// an altname that is taken, mode passthru beside another, a bridge that takes no further port.</summary>
public sealed class Refusals : ICheck
{
    public string Name => "refusals";

    public IEnumerable<Finding> Look(HostView host)
    {
        List<DesiredLink> wanted = [.. DesiredLink.Of(host.Attachments, null, null)];
        var plan = Plan.ForUp(wanted, HostState.Of(host.Links), new() { ReplaceRunning = true, Netns = host.Netns });
        var rules = new KernelRules(host.Links, new(host.Netns));
        var byAlias = wanted.DistinctBy(w => w.Alias).ToDictionary(w => w.Alias);
        var found = plan.Refusals.Where(r => r.Kind switch
        {
            RefusalKind.NameTaken => true,
            RefusalKind.LowerUnfit => Of(host, byAlias[r.Alias].Lower) is { Master: null } device && rules.LowerDevice(device) is null,
            RefusalKind.BridgeUnfit => Of(host, byAlias[r.Alias].Bridge)?.Kind == "bridge",
            _ => false,
        }).Select(r => r.Text).Distinct().Select(t => new Finding(Name, Severity.Problem, t, "'up' changes nothing while it is so")).ToList();
        return found.Count > 0 || wanted.Count == 0 ? found : [new(Name, Severity.Ok, "the kernel would refuse nothing of what is declared")];
    }

    private static Link? Of(HostView host, string? name) => name is null ? null : host.Links.FirstOrDefault(l => l.IsNamed(name));
}
