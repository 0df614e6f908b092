using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Microvm.Declaration;
using Microvm.Hypervisors;
using Microvm.Linux;

namespace Microvm.Host.Run;

/// <summary>User networking for a hypervisor that has none: it runs in a user and network namespace of its own, where its tap is
/// joined to the device of slirp4netns(1). Three programs take part, each in the place or at the side of the one before:
/// <c>microvm run</c> starts the <see cref="Companion"/> and becomes <c>unshare</c>, which becomes <c>microvm run</c> again, inside.</summary>
public static class UserNetwork
{
    /// <summary>Set for the second <c>microvm run</c>: the descriptor that tells whether slirp lives, a colon, and the folder of its control socket.</summary>
    public const string Variable = "MICROVM_INSIDE";

    /// <summary>The device of slirp4netns inside the namespace.</summary>
    public const string Device = "slirp0";

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(15);

    /// <summary>The folder that the outer program made, or null in the outer one.</summary>
    public static string? Inside => Told is [_, var folder] ? folder : null;

    private static string[]? Told => Environment.GetEnvironmentVariable(Variable)?.Split(':', 2);

    /// <summary>Why a VM can't have its user network in a namespace, or null. A declaration's own choice is refused by <c>check</c>
    /// already; this is for one made on the command line.</summary>
    public static string? Refusal(MicrovmConfig vm, IReadOnlyList<Attachment> attachments) =>
        attachments.FirstOrDefault(a => a.Kind == AttachmentKind.UserNamespace) is not { } user ? null
        : attachments.Count > 1 ? $"{Findings.AloneInNamespace(user.Interface.Id, vm.Hypervisor)}, or leave --attachment out"
        : vm.ForwardPorts.Any(p => p.From == "guest") ? "forwardPorts from the guest is not to be had from slirp4netns; the guest reaches the host's loopback at 10.0.2.2"
        : null;

    /// <summary>Inside, where the hypervisor is not started after all: removes what the outer program made.</summary>
    public static void Forget()
    {
        if (Inside is { } folder && Directory.Exists(folder))
        {
            Directory.Delete(folder, true);
        }
    }

    /// <summary>Starts the companion, and becomes this program again within namespaces of its own. Returns only by throwing.</summary>
    /// <param name="arguments">The command line of this program, without its name.</param>
    /// <exception cref="LinuxException">unshare(1) can't be started.</exception>
    public static void Enter(IReadOnlyList<string> arguments)
    {
        var folder = Directory.CreateTempSubdirectory("microvm-user-").FullName;
        try
        {
            var (read, write) = PosixProcess.OpenPipe();
            var self = Environment.ProcessPath!;
            using (Process.Start(new ProcessStartInfo(self, ["user-network", Text(Environment.ProcessId), Text(read), Text(write), folder]))!)
            {
            }
            PosixProcess.Close(read);
            // Even as root: what the hypervisor could do with a bug of its own ends at the namespace.
            PosixProcess.Exec(["unshare", "--user", "--map-root-user", "--net", "env", $"{Variable}={Text(write)}:{folder}", self, .. arguments]);
        }
        catch
        {
            Directory.Delete(folder, true);
            throw;
        }
    }

    /// <summary>The companion: waits until the other has its namespaces, then becomes slirp4netns at its side. It ends with the hypervisor, whose end of the pipe closes then.</summary>
    public static void Companion(int pid, int read, int write, string folder)
    {
        PosixProcess.Close(write);
        var ours = NetworkOf("self");
        var start = Stopwatch.GetTimestamp();
        while (NetworkOf(Text(pid)) is not { } theirs || theirs == ours)
        {
            if (Stopwatch.GetElapsedTime(start) > s_patience || !Directory.Exists($"/proc/{Text(pid)}"))
            {
                // unshare(1) has told why there is no namespace, and nobody inside will tidy up.
                Directory.Delete(folder, true);
                return;
            }
            Thread.Sleep(2);
        }
        PosixProcess.Exec(["slirp4netns", "--mtu=1500", "--exit-fd", Text(read), "--api-socket", Path.Combine(folder, "api"), Text(pid), Device]);
    }

    /// <summary>A process's network namespace; null where it can't be told now. As root it can't for the moment in which the other
    /// is unshare(1) already, with all of root's capabilities, and has not yet left for a namespace that is ours to look into.</summary>
    private static string? NetworkOf(string process)
    {
        try
        {
            return File.ResolveLinkTarget($"/proc/{process}/ns/net", false)?.Name;
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            return null;
        }
    }

    /// <summary>Inside: makes the tap, joins it to slirp's device and adds the forwards.</summary>
    /// <exception cref="IOException">slirp4netns did not come, or refused a forward.</exception>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void Join(string tap, IReadOnlyList<ForwardPort> forwards)
    {
        using var route = new RouteSocket();
        var start = Stopwatch.GetTimestamp();
        Link? slirp;
        while ((slirp = route.Links(statistics: false).FirstOrDefault(l => l.Name == Device)) is null)
        {
            if (Stopwatch.GetElapsedTime(start) > s_patience || PosixProcess.IsUnread(int.Parse(Told![0], CultureInfo.InvariantCulture)))
            {
                throw new IOException("slirp4netns did not join the VM's network namespace; what it printed above tells why, and 'slirp4netns --version' whether it starts at all");
            }
            Thread.Sleep(5);
        }
        using (var made = TunDevice.Create(tap, false, 0, null))
        {
            made.Persist();
        }
        var link = route.Find(tap);
        // Neither end is the host's business: no address, and no IPv6 that makes one.
        Ipv6Setting.Disable(Device, true);
        Ipv6Setting.Disable(tap, true);
        route.Commit(new RouteBatch().Redirect(link.Index, tap, slirp.Index).Redirect(slirp.Index, Device, link.Index)
            .SetUp(link.Index, tap, true).SetUp(slirp.Index, Device, true));
        var socket = Path.Combine(Inside!, "api");
        foreach (var forward in forwards.Where(f => f.From == "host"))
        {
            Forward(socket, forward);
        }
        Directory.Delete(Inside!, true);
    }

    /// <summary>slirp4netns(1), "API socket": one request in JSON and one answer a connection.</summary>
    private static void Forward(string path, ForwardPort forward)
    {
        var host = forward.HostAddress.Length > 0 ? forward.HostAddress : "0.0.0.0";
        var guest = forward.GuestAddress.Length > 0 ? forward.GuestAddress : "10.0.2.15";
        // The addresses were checked to be IPv4, so nothing here needs quoting.
        var request = $$"""{"execute":"add_hostfwd","arguments":{"proto":"{{forward.Proto}}","host_addr":"{{host}}","host_port":{{Text(forward.HostPort)}},"guest_addr":"{{guest}}","guest_port":{{Text(forward.GuestPort)}} } }""";
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(path));
        socket.Send(Encoding.ASCII.GetBytes(request));
        socket.Shutdown(SocketShutdown.Send);
        var answer = new byte[4096];
        var text = Encoding.UTF8.GetString(answer, 0, socket.Receive(answer));
        if (text.Contains("\"error\"", StringComparison.Ordinal))
        {
            throw new IOException($"slirp4netns can't forward {forward.Proto} port {forward.HostPort} of the host: {Printable.Of(text.Trim())}");
        }
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
