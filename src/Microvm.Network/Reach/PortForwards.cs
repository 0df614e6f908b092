using Microvm.Declaration;

namespace Microvm.Network.Reach;

/// <summary>Ports of the host that lead to a guest: the way in where nothing else leads there.</summary>
internal static class PortForwards
{
    /// <summary>The way to a port of a guest over one of the host.</summary>
    /// <param name="unless">Why there is no other way.</param>
    internal static ReachStep To(ReachEnd.Guest to, int? port, string proto, string unless, ReachRule rule)
    {
        var isFirst = to.Interface == to.Vm.Interfaces.FirstOrDefault(i => i.Network is not null);
        var forwards = (to.Interface.Type == InterfaceType.User ? to.Vm.ForwardPorts : isFirst ? to.Vm.NetworkForwards : []).Where(f => f.From == "host").ToList();
        if (port is { } wanted && forwards.Find(f => f.GuestPort == wanted && f.Proto == proto) is { } forward)
        {
            return new(ReachRule.ForwardedPort, ReachVerdict.Yes, $"{proto} port {forward.HostPort} of {forward.HostAddress ?? "the host"} leads to port {wanted} of '{to.Vm.Name}' (forwardPorts)");
        }
        var ports = forwards.Count == 0 ? "it forwards no port of the host" : $"of its ports the host forwards {string.Join(", ", forwards.Select(f => $"{f.GuestPort}/{f.Proto}"))} alone";
        return new(rule, ReachVerdict.No, $"{unless}; {ports}");
    }
}
