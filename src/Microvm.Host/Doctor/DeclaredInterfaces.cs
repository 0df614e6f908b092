using Microvm.Observation;

namespace Microvm.Host.Doctor;

/// <summary>The declared interfaces as <c>microvm status</c> sees them, and whether the running guests have them.</summary>
public sealed class DeclaredInterfaces : ICheck
{
    public string Name => "interfaces";

    public IEnumerable<Finding> Look(HostView host)
    {
        var good = 0;
        foreach (var vm in host.Statuses().GroupBy(i => i.Vm))
        {
            var running = vm.Any(IsHeld);
            var remake = new Func<InterfaceStatus, string?>(i => i.State is InterfaceState.Foreign ? null : host.Remake([i]));
            if (!running && vm.All(i => i.State is InterfaceState.Missing or InterfaceState.Unlinked) && vm.Any(i => i.State == InterfaceState.Missing) && host.Restart(vm.Key) is null)
            {
                var missing = vm.Where(i => i.State == InterfaceState.Missing).ToList();
                yield return new(Name, Severity.Note, $"{FirewallWords.Few([.. missing.Select(i => i.Id)])} of '{vm.Key}' {(missing.Count == 1 ? "is" : "are")} not there yet", "the VM needs it before it starts", host.Remake(missing));
                continue;
            }
            foreach (var i in vm)
            {
                var found = i.State switch
                {
                    InterfaceState.Missing => "is not there",
                    InterfaceState.Down => "is down",
                    InterfaceState.Drifted => $"is not as declared: {i.Reason}",
                    _ => null,
                };
                if (found is not null)
                {
                    yield return new(Name, Severity.Problem, $"'{i.Id}' of '{i.Vm}' {found}", running ? "the running VM has no network through it, or a different one than declared" : "the VM would start without a network through it, or with a different one than declared", remake(i));
                }
                else if (running && i.State == InterfaceState.Up && i.Type != "user" && !IsHeld(i))
                {
                    yield return new(Name, Severity.Problem, $"'{i.Id}' of '{i.Vm}' is declared, and the running VM does not have it", "it was started before that was declared, or without it; it has it from its next start on", host.Restart(i.Vm));
                }
                else if (i.Mac is { } mac && Macs(host, i) is { Count: > 0 } given && !given.Contains(mac))
                {
                    yield return new(Name, Severity.Problem, $"the MAC of '{i.Id}' of '{i.Vm}' is {mac}, and the running VM has {FirewallWords.Few(given)}", "it was started from another declaration; what knows the guest by its MAC (DHCP, a firewall) does not find it", host.Restart(i.Vm));
                }
                else if (i.State is InterfaceState.Up)
                {
                    good++;
                }
            }
        }
        if (good > 0)
        {
            yield return new(Name, Severity.Ok, $"{good} interface{(good == 1 ? " is" : "s are")} up and as declared");
        }
    }

    private static bool IsHeld(InterfaceStatus i) => i.Holders.Count > 0 || i.Link?.InUse == true;

    /// <summary>The MACs that the hypervisor which holds the interface was started with, as its command line has them; none where it has none there.</summary>
    private static IReadOnlyCollection<string> Macs(HostView host, InterfaceStatus i)
    {
        const string Key = "mac=";
        var macs = new HashSet<string>();
        foreach (var holder in i.Holders)
        {
            var words = host.Read($"/proc/{holder.Pid}/cmdline") ?? "";
            for (var at = words.IndexOf(Key, StringComparison.Ordinal); at >= 0; at = words.IndexOf(Key, at + 1, StringComparison.Ordinal))
            {
                if (Declaration.MacAddress.TryParse(string.Concat(words.Skip(at + Key.Length).Take(17)), out var mac, out _))
                {
                    macs.Add(mac.ToString());
                }
            }
        }
        return macs;
    }
}
