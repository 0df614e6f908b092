using System.Runtime.ExceptionServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network;

namespace Microvm.Tests;

/// <summary>A network namespace and a folder for declarations: a host of its own for one test.</summary>
public sealed class NetworkHost : IDisposable
{
    private readonly Folder _folder = new();

    public Namespace Net { get; } = new();

    public void Dispose()
    {
        Net.Dispose();
        _folder.Dispose();
    }

    /// <summary>A declaration of one VM.</summary>
    public string Declare(string vm, int vcpu, params string[] interfaces) =>
        _folder.File($"{vm}.json", $$"""{"networking":{"hostName":"{{vm}}"},"microvm":{"vcpu":{{vcpu}},"interfaces":[{{string.Join(',', interfaces)}}] } }""");

    /// <summary>A declaration of one VM with one macvtap, for a hypervisor that takes only taps.</summary>
    public string Firecracker(string vm, string id, string lower) =>
        _folder.File($"{vm}.json", $$"""{"networking":{"hostName":"{{vm}}"},"microvm":{"hypervisor":"firecracker","interfaces":[{{Macvtap(id, lower, "bridge")}}] } }""");

    public static string Tap(string id, string? bridge = null) =>
        $$"""{"type":"tap","id":"{{id}}","mac":"{{MacOf(id)}}"{{(bridge is null ? "" : $",\"bridge\":\"{bridge}\"")}}}""";

    public static string Macvtap(string id, string lower, string mode) =>
        $$"""{"type":"macvtap","id":"{{id}}","mac":"{{MacOf(id)}}","macvtap":{"link":"{{lower}}","mode":"{{mode}}"} }""";

    /// <summary>A locally administered MAC that only this name has.</summary>
    public static string MacOf(string name) => $"02:{string.Join(':', SHA256.HashData(Encoding.UTF8.GetBytes(name)).Take(5).Select(b => $"{b:x2}"))}";

    internal Binary.Outcome Microvm(string command, params string[] rest) => Binary.Microvm([command, "--netns", Net.Name, .. rest]);

    internal Binary.Outcome Done(string command, params string[] rest)
    {
        var outcome = Microvm(command, rest);
        Assert.True(outcome.Code == 0, $"{command}: {outcome.Out}{outcome.Err}");
        return outcome;
    }

    /// <summary>What <c>ip -d -j link show</c> says of a link.</summary>
    public JsonElement Link(string name) => JsonDocument.Parse(Net.Ip("-d", "-j", "link", "show", name)).RootElement[0];

    public bool Has(string name) => Binary.Run("ip", null, "-n", Net.Name, "link", "show", name).Code == 0;

    /// <summary>Properties of all links that an undo has to put back: all but index and what comes and goes by itself.</summary>
    public IReadOnlyList<string> Picture() => Inside(route => route.Links(statistics: false)
        .Select(l => (l with { Index = 0, Carrier = false, Statistics = default, Address = l.Macvlan is null ? null : l.Address, Macvlan = null }).ToString() + Sources(l))
        .Order(StringComparer.Ordinal).ToList());

    private static string Sources(Link link) => link.Macvlan is { } m ? $"{m.Mode} {string.Join(' ', m.Sources.Order(StringComparer.Ordinal))}" : "";

    /// <summary>Runs library code on a thread inside the namespace.</summary>
    internal T Inside<T>(Func<RouteSocket, T> work) => Inside(Net.Name, work);

    /// <summary>Runs library code on a thread inside a namespace.</summary>
    internal static T Inside<T>(string netns, Func<RouteSocket, T> work)
    {
        T result = default!;
        ExceptionDispatchInfo? thrown = null;
        var thread = new Thread(() =>
        {
            try
            {
                NetworkNamespace.Enter(netns);
                using var route = new RouteSocket();
                result = work(route);
            }
            catch (Exception e)
            {
                thrown = ExceptionDispatchInfo.Capture(e);
            }
        });
        thread.Start();
        thread.Join();
        thrown?.Throw();
        return result;
    }

    /// <summary>Sends a broadcast frame of 60 bytes from the guest's side of a tap, as a hypervisor would.</summary>
    /// <param name="then">Done while the tap is still open, and so takes frames.</param>
    internal void SendFromGuest(string tap, Action? then = null) => Inside(_ =>
    {
        using var queue = TunDevice.OpenQueue(tap, false);
        using var file = new FileStream(new Microsoft.Win32.SafeHandles.SafeFileHandle(queue.Descriptor, ownsHandle: false), FileAccess.ReadWrite, 0);
        // struct virtio_net_hdr goes before each frame (IFF_VNET_HDR); 88b5 is an Ethertype for experiments.
        file.Write([.. new byte[10], .. Convert.FromHexString("ffffffffffff" + MacOf(tap).Replace(":", "") + "88b5"), .. new byte[46]]);
        then?.Invoke();
        return 0;
    });

    /// <summary><c>up</c> through the library, for attachments that no declaration of this test's reach has.</summary>
    internal Plan Up(params Attachment[] attachments) => Inside(_ =>
    {
        using var network = new HostNetwork();
        var plan = network.Up([.. DesiredLink.Of(attachments, null, null)]);
        Assert.True(plan.Refusals.Count == 0, string.Join("; ", plan.Refusals));
        return plan;
    });

    internal static Attachment Attach(string vm, string id, AttachmentKind kind, string lower, MacvtapMode mode, int queuePairs = 1, params string[] sources) =>
        new(vm, new()
        {
            Type = InterfaceType.Macvtap,
            Id = Name(id),
            Mac = Mac(MacOf(id)),
            MacvtapLink = Name(lower),
            MacvtapMode = mode,
            SourceMacs = [.. sources.Select(Mac)],
        }, kind, queuePairs);

    private static InterfaceName Name(string text) => InterfaceName.TryParse(text, out var name, out var why) ? name : throw new ArgumentException(why);
    private static MacAddress Mac(string text) => MacAddress.TryParse(text, out var mac, out var why) ? mac : throw new ArgumentException(why);
}
