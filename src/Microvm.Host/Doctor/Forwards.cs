using Microvm.Host.Run;

namespace Microvm.Host.Doctor;

/// <summary>The host's ports that are forwarded to guests: free, the host's own, and allowed.</summary>
public sealed class Forwards : ICheck
{
    public string Name => "forwards";

    public IEnumerable<Finding> Look(HostView host)
    {
        var ports = host.Vms.SelectMany(v => v.ForwardPorts.Where(p => p.From == "host")).ToList();
        foreach (var port in ports)
        {
            if (HostPorts.Fault(port) is { } fault)
            {
                // Of a VM that runs it is taken by that VM.
                var taken = fault.Contains(" is taken", StringComparison.Ordinal);
                yield return new(Name, taken ? Severity.Note : Severity.Problem, fault.Split("; ")[0], taken ? "by the VM itself where it runs; else it would not start" : string.Join("; ", fault.Split("; ")[1..]));
            }
            else
            {
                yield return new(Name, Severity.Ok, $"{port.Proto} port {port.HostPort} can be forwarded");
            }
        }
    }
}
