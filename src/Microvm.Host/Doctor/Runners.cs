using Microvm.Declaration;

namespace Microvm.Host.Doctor;

/// <summary>Whether each VM's runner is what was built: a power cut, a bad disk or somebody's hand may have changed it, and then it is not started.</summary>
public sealed class Runners : ICheck
{
    public string Name => "runners";

    public IEnumerable<Finding> Look(HostView host)
    {
        foreach (var (vm, fault) in host.Runners.Where(r => r.Fault is not null))
        {
            yield return new(Name, Severity.Problem, $"the runner of '{vm}' differs from what was built: {Printable.Of(fault!, int.MaxValue)}", $"'{vm}' is not started from it", $"sudo microvm update {Shell.Quote(vm)}");
        }
        if (host.Runners.Count > 0 && host.Runners.All(r => r.Fault is null))
        {
            yield return new(Name, Severity.Ok, "every VM's runner is as it was built");
        }
    }
}
