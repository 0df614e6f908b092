using System.Diagnostics;
using System.Runtime.InteropServices;
using Microvm.Linux;

namespace Microvm.Tests;

/// <summary>What links, events and firewall share: the socket.</summary>
public sealed class NetlinkSocketTests : IDisposable
{
    private readonly NetworkHost _host = new();
    public void Dispose() => _host.Dispose();

    private void Nft(string script)
    {
        var outcome = Binary.Run("ip", script, "netns", "exec", _host.Net.Name, "nft", "-f", "-");
        Assert.True(outcome.Code == 0, outcome.Err);
    }

    [Fact]
    public void A_firewall_that_changes_while_it_is_read_is_read_again()
    {
        const int chains = 900;
        Nft("table ip t {\n" + string.Concat(Enumerable.Range(0, chains).Select(n => $"chain c{n} {{ type filter hook forward priority 0; policy accept; }}\n")) + "}\n");
        // Chains at the front of the list come and go, and with each the kernel may pass over one that stays.
        var churn = string.Concat(Enumerable.Repeat("add table ip a\nadd chain ip a x { type filter hook input priority 0; }\n", 1));
        using var stop = new CancellationTokenSource();
        var changes = new Thread(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                Nft(churn);
                Nft("delete table ip a\n");
            }
        });
        changes.Start();
        try
        {
            for (var clock = Stopwatch.StartNew(); clock.Elapsed < TimeSpan.FromSeconds(3);)
            {
                var seen = _host.Inside(_ => FirewallSocket.BaseChains()).Where(c => c.Table == "t").Select(c => c.Name).ToList();
                Assert.Equal(chains, seen.Count);
                Assert.Equal(chains, seen.Distinct().Count());
            }
        }
        finally
        {
            stop.Cancel();
            changes.Join();
        }
    }

    [Fact]
    public void A_list_of_links_that_changes_while_it_is_read_is_read_again()
    {
        const int links = 300;
        _host.Net.Ip("link", "add", "far0", "type", "veth", "peer", "name", "eth0");
        _host.Inside(route =>
        {
            var batch = new RouteBatch();
            var lower = route.Find("eth0").Index;
            for (var n = 0; n < links; n++)
            {
                batch.AddMacvlan(new(0, $"stays{n}", false, lower, [2, 1, 1, 1, (byte)(n >> 8), (byte)n], 0, MacvlanMode.Bridge, []));
            }
            route.Commit(batch);
            return 0;
        });
        using var stop = new CancellationTokenSource();
        var changes = new Thread(() => _host.Inside(route =>
        {
            while (!stop.IsCancellationRequested)
            {
                route.Commit(new RouteBatch().AddMacvlan(new(1 << 29, "comes", false, route.Find("eth0").Index, [2, 2, 2, 2, 2, 2], 0, MacvlanMode.Bridge, [])));
                route.Commit(new RouteBatch().Delete(1 << 29, "comes"));
            }
            return 0;
        }));
        changes.Start();
        try
        {
            _host.Inside(_ =>
            {
                using var socket = new NetlinkSocket(NetlinkSocket.Route);
                uint sequence = 0;
                var (interrupted, seen) = (0, 0);
                // Sooner or later one is interrupted (NLM_F_DUMP_INTR); what is handed over in the end is whole.
                for (var clock = Stopwatch.StartNew(); interrupted < 3;)
                {
                    Assert.True(clock.Elapsed < TimeSpan.FromMinutes(1), "no dump was interrupted");
                    var starts = 0;
                    Span<byte> request = [32, 0, 0, 0, 18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, .. new byte[16]];
                    socket.Dump(request, "list the links", () => (starts, seen) = (starts + 1, 0), (_, body) => seen += Link.Parse(body) is { } link && link.Name.StartsWith("stays", StringComparison.Ordinal) ? 1 : 0, ref sequence);
                    Assert.Equal(links, seen);
                    interrupted += starts > 1 ? 1 : 0;
                }
                return 0;
            });
        }
        finally
        {
            stop.Cancel();
            changes.Join();
        }
    }

    [Theory]
    [InlineData("EIO")]
    [InlineData("ENOBUFS")]
    public void A_firewall_of_which_an_answer_was_lost_is_not_one_that_lets_everything_through(string error)
    {
        Nft("table inet f {\n chain fw {\n type filter hook forward priority 0; policy drop;\n }\n}\n");
        Assert.Equal(0, Binary.Run("ip", null, "netns", "exec", _host.Net.Name, "sysctl", "-qw", "net.ipv4.ip_forward=1").Code);
        var file = _host.Declare("a", 1, NetworkHost.Tap("vm-a1"));
        _host.Done("up", file);
        const string drops = "f/fw drops what is forwarded";
        Assert.Contains(drops, _host.Microvm("doctor", file).Out);
        var unread = 0;
        for (var nth = 1; nth < 60; nth++)
        {
            // From some answer on, all are lost.
            var doctor = Binary.Run("strace", null, "-f", "-o", "/dev/null", "-e", $"inject=recvfrom:error={error}:when={nth}+", Binary.Path, "doctor", "--netns", _host.Net.Name, file);
            if (doctor.Out.Contains(drops, StringComparison.Ordinal) && !doctor.Out.Contains("could not check", StringComparison.Ordinal))
            {
                break;
            }
            Assert.True(doctor.Out.Contains(drops, StringComparison.Ordinal) || doctor.Out.Contains("could not check: list the firewall's", StringComparison.Ordinal) || doctor.Err.Contains("list the links", StringComparison.Ordinal)
                || doctor.Out.Contains("could not check: list the links", StringComparison.Ordinal), $"recvfrom #{nth}: {doctor.Out}{doctor.Err}");
            unread += doctor.Out.Contains("list the firewall's", StringComparison.Ordinal) ? 1 : 0;
        }
        // The chains, and the rules.
        Assert.True(unread >= 2, $"{unread}");
    }

    [Fact]
    public void What_the_kernel_refuses_is_an_error_and_not_an_empty_firewall()
    {
        Assert.Equal(1, _host.Inside(_ =>
        {
            using var socket = new NetlinkSocket(NetlinkSocket.Netfilter);
            // struct nfgenmsg of a subsystem that is not there.
            Span<byte> request = [20, 0, 0, 0, 4, 99, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            uint sequence = 0;
            try
            {
                socket.Dump(request, "ask for nothing", () => { }, (_, _) => { }, ref sequence);
                return 0;
            }
            catch (LinuxException e)
            {
                return e.Errno == 22 ? 1 : e.Errno;
            }
        }));
    }

    [Fact]
    public void A_message_larger_than_the_buffer_is_noticed_and_asked_for_again()
    {
        // A link with 5,000 source MACs is a message of 60 KiB, which the kernel sends together with another.
        _host.Net.Ip("link", "add", "eth0", "type", "veth", "peer", "name", "far0");
        _host.Inside(route =>
        {
            var lower = route.Find("eth0").Index;
            byte[][] sources = [.. Enumerable.Range(0, 5000).Select(n => new byte[] { 2, 0, 0, 0, (byte)(n >> 8), (byte)n })];
            route.Commit(new RouteBatch().AddMacvlan(new(0, "mv0", false, lower, [2, 1, 1, 1, 1, 1], 0, MacvlanMode.Source, sources)));
            Assert.Equal(5000, route.Find("mv0").Macvlan!.Sources.Count);
            Assert.Equal(5000, route.Links().Single(l => l.Name == "mv0").Macvlan!.Sources.Count);
            return 0;
        });
    }

    [Fact]
    public void More_source_MACs_than_an_attribute_holds_are_refused_before_they_are_sent()
    {
        _host.Net.Ip("link", "add", "eth0", "type", "veth", "peer", "name", "far0");
        _host.Inside(route =>
        {
            var lower = route.Find("eth0").Index;
            byte[][] sources = [.. Enumerable.Range(0, 5461).Select(n => new byte[] { 2, 0, 0, 0, (byte)(n >> 8), (byte)n })];
            var batch = new RouteBatch();
            var thrown = Assert.Throws<LinuxException>(() => batch.AddMacvlan(new(0, "mv0", false, lower, [2, 1, 1, 1, 1, 1], 0, MacvlanMode.Source, sources)));
            Assert.Contains("make macvlan 'mv0'", thrown.Message);
            return 0;
        });
    }

    [Fact]
    public void What_does_not_come_from_the_kernel_is_dropped()
    {
        // A program with CAP_NET_ADMIN may send to any socket of the family: here a refusal of what was never asked.
        _host.Inside(_ =>
        {
            using var socket = new NetlinkSocket(NetlinkSocket.Route);
            Forge(socket.Descriptor);
            Span<byte> request = [32, 0, 0, 0, 18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, .. new byte[16]];
            uint sequence = 0;
            var answers = 0;
            socket.Dump(request, "list the links", () => answers = 0, (_, _) => answers++, ref sequence);
            Assert.Equal(1, answers);
            return 0;
        });
    }

    /// <summary>Sends an NLMSG_ERROR to a socket, from another one.</summary>
    private static unsafe void Forge(int to)
    {
        // Without a bind the kernel names a socket when it is first used.
        var name = stackalloc uint[3];
        var size = 12u;
        Assert.Equal(0, bind(to, (byte*)Fill(name, 0), 12));
        Assert.Equal(0, getsockname(to, (byte*)name, &size));
        var port = name[1];
        var from = socket(16, 3, 0);
        var message = stackalloc uint[9] { 36, 2, 1, 0, unchecked((uint)-5), 16, 18, 1, 0 };
        Assert.Equal(36, sendto(from, (byte*)message, 36, 0, (byte*)Fill(name, port), 12));
        Assert.Equal(0, close(from));

        static uint* Fill(uint* name, uint port)
        {
            (name[0], name[1], name[2]) = (16, port, 0);
            return name;
        }
    }

    [DllImport("libc")] private static extern unsafe int bind(int fd, byte* address, uint length);
    [DllImport("libc")] private static extern unsafe int getsockname(int fd, byte* address, uint* length);
    [DllImport("libc")] private static extern unsafe nint sendto(int fd, byte* buffer, nuint length, int flags, byte* address, uint size);
    [DllImport("libc")] private static extern int socket(int domain, int type, int protocol);
    [DllImport("libc")] private static extern int close(int fd);

    [Fact]
    public void An_answer_that_never_comes_is_waited_for_until_it_is_cancelled()
    {
        _host.Inside(_ =>
        {
            using var socket = new NetlinkSocket(NetlinkSocket.Route);
            using var soon = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
            var clock = Stopwatch.StartNew();
            Assert.Throws<OperationCanceledException>(() => socket.Receive("wait", (_, _, _, _) => false, soon.Token));
            Assert.InRange(clock.Elapsed.TotalSeconds, 0.2, 5);
            return 0;
        });
    }

    [Fact]
    public void An_index_of_another_namespace_is_not_taken_for_one_of_ours()
    {
        using var far = new Namespace();
        _host.Net.Ip("link", "add", "low0", "type", "veth", "peer", "name", "peer0");
        _host.Net.Ip("link", "add", "mv0", "link", "low0", "type", "macvlan", "mode", "bridge");
        Assert.NotNull(_host.Inside(route => route.Find("mv0").Lower));
        _host.Net.Ip("link", "set", "mv0", "netns", far.Name);
        var there = System.Text.Json.JsonDocument.Parse(far.Ip("-j", "link", "show", "mv0")).RootElement[0];
        Assert.True(there.TryGetProperty("link_netnsid", out var _));
        var link = NetworkHost.Inside(far.Name, route => route.Find("mv0"));
        Assert.Null(link.Lower);
        Assert.NotNull(link.LowerNamespace);
    }
}
