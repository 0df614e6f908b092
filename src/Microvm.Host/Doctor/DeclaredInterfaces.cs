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
            var running = vm.Any(GuestFault.IsHeld);
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
                else if (i.Guest is { } fault)
                {
                    yield return new(Name, Severity.Problem, $"'{i.Id}' of '{i.Vm}' is declared, and {fault.Text}", fault.Why, host.Restart(i.Vm));
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
}
