using System.Diagnostics;
using System.Globalization;
using Microvm.Declaration;
using Microvm.Hypervisors;
using Microvm.Linux;

namespace Microvm.Host.Run;

/// <summary>User networking for a hypervisor that has none: it runs in a user and network namespace of its own, where its tap is
/// joined to the device of slirp4netns(1). <c>microvm run</c> starts the <see cref="UserNetworkCompanion"/> and becomes
/// <c>unshare</c>, which becomes <c>microvm run</c> again, inside; the hypervisor takes its place. The companion starts slirp4netns
/// outside and stays beside the VM.</summary>
public static class UserNetwork
{
    /// <summary>The device of slirp4netns inside the namespace.</summary>
    public const string Device = "slirp0";

    /// <summary>What the companion writes once the network serves; anything else is why it does not.</summary>
    internal const string Serves = "1";

    /// <summary>How long namespaces and slirp4netns may take.</summary>
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>What the second <c>microvm run</c> holds of the first: two pipes.</summary>
    /// <param name="Life">Kept open by the hypervisor: its end is how the companion and slirp4netns know that the VM has ended.</param>
    /// <param name="Told">Where the companion tells that the network serves.</param>
    public sealed record Inside(int Life, int Told)
    {
        /// <summary>As it stands on the command line.</summary>
        public override string ToString() => $"{Text(Life)}:{Text(Told)}";

        /// <summary>Reads it back. It means something only behind unshare(1), where root is nobody but the one who called.</summary>
        /// <exception cref="ArgumentException">This is not that process.</exception>
        public static Inside Parse(string text) =>
            text.Split(':') is [var life, var told] && Number(life) is { } a && Number(told) is { } b && PosixProcess.IsPipe(a) && PosixProcess.IsPipe(b) && IsMappedAlone()
                ? new(a, b) : throw new ArgumentException("'run' passes --inside to itself; leave it out");

        private static int? Number(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 2 ? number : null;

        // user_namespaces(7): "0 OUTER 1" is what unshare --map-root-user writes.
        private static bool IsMappedAlone() => File.ReadAllText("/proc/self/uid_map").Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries) is ["0", _, "1"];
    }

    /// <summary>Why a VM can't have its user network in a namespace, or null. A declaration's own choice is refused by <c>check</c>
    /// already; this is for one made on the command line.</summary>
    public static string? Refusal(MicrovmConfig vm, IReadOnlyList<Attachment> attachments) =>
        attachments.FirstOrDefault(a => a.Kind == AttachmentKind.UserNamespace) is not { } user ? null
        : attachments.Count > 1 ? $"{Findings.AloneInNamespace(user.Interface.Id, vm.Hypervisor)}, or leave --attachment out"
        : vm.ForwardPorts.Any(p => p.From == "guest") ? "forwardPorts from the guest isn't supported by slirp4netns; the guest reaches the host's loopback at 10.0.2.2"
        : null;

    /// <summary>Starts the companion, and becomes this program again within namespaces of its own. Returns only by throwing.</summary>
    /// <param name="arguments">Makes the command line of this program, without its name, that tells the second <c>run</c> what it holds.</param>
    /// <exception cref="LinuxException">unshare(1) can't be started.</exception>
    public static void Enter(MicrovmConfig vm, Func<Inside, IEnumerable<string>> arguments)
    {
        var (read, write) = PosixProcess.OpenPipe();
        var (told, tell) = PosixProcess.OpenPipe();
        var self = Environment.ProcessPath!;
        // A session of its own: Ctrl-C on the terminal is for the hypervisor, which may take it for a key, and so is what a hypervisor does to its process group.
        using (SearchPath.Start(new ProcessStartInfo("setsid", [self, "user-network", "--", Text(Environment.ProcessId), Text(read), Text(write), Text(told), Text(tell), vm.Name,
            .. vm.ForwardPorts.Where(f => f.From == "host").Select(f => SlirpForward.Of(f).ToString())])))
        {
        }
        PosixProcess.Close(read);
        PosixProcess.Close(tell);
        // Even as root: what the hypervisor could do with a bug of its own ends at the namespace.
        PosixProcess.Exec(["unshare", "--user", "--map-root-user", "--net", "--", self, .. arguments(new(write, told))]);
    }

    /// <summary>Inside: waits until slirp4netns serves, then makes the tap and joins it to slirp's device.</summary>
    /// <exception cref="IOException">slirp4netns did not come, or refused a forward.</exception>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static void Join(Inside inside, string tap)
    {
        var told = PosixProcess.ReadToEnd(inside.Told, Patience + TimeSpan.FromSeconds(5));
        PosixProcess.Close(inside.Told);
        if (told != Serves)
        {
            throw new IOException(told is { Length: > 0 } ? Printable.Of(told)
                : "slirp4netns did not join the VM's network namespace; what it printed above says why, and 'slirp4netns --version' shows whether it starts at all");
        }
        using var route = new RouteSocket();
        var slirp = route.Find(Device);
        using (var made = TunDevice.Create(tap, false, 0, null))
        {
            made.Persist();
        }
        var link = route.Find(tap);
        // Neither end is the host's business: no address, and no IPv6 that makes one.
        LinkSetting.DisableIpv6(slirp.Index, Device, true);
        LinkSetting.DisableIpv6(link.Index, tap, true);
        route.Commit(new RouteBatch().Redirect(link.Index, tap, slirp.Index).Redirect(slirp.Index, Device, link.Index)
            .SetUp(link.Index, tap, true).SetUp(slirp.Index, Device, true));
    }

    internal static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
