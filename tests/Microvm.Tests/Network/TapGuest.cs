using System.Net;
using System.Net.Sockets;
using Microsoft.Win32.SafeHandles;
using Microvm.Linux;

namespace Microvm.Tests;

/// <summary>The guest's end of a tap, held open as a hypervisor holds it: frames go in as they are, and come out. With <see cref="Boot"/> a network
/// stack of its own is behind it, in a network namespace, as a guest's kernel would be.</summary>
internal sealed class TapGuest : IDisposable
{
    // struct virtio_net_hdr goes before each frame (IFF_VNET_HDR).
    private const int Header = 10;
    private readonly TunDevice.Tap _tap;
    private readonly FileStream _file;
    private Namespace? _guest;
    private TunDevice.Tap? _inner;
    private readonly WakeUp _wakeUp = new();
    private readonly List<Thread> _pumps = [];
    private volatile bool _ended;
    private int _markers;

    internal TapGuest(Namespace host, string tap)
    {
        _tap = host.Hold(tap);
        _file = Stream(_tap);
        // The kernel tells the bridge a moment later that somebody holds the tap.
        WatchProcess.Until(() => host.Ip("-d", "link", "show", tap) is var link && (!link.Contains(" master ", StringComparison.Ordinal) || link.Contains("state forwarding", StringComparison.Ordinal)),
            () => $"the bridge does not forward for '{tap}'");
    }

    /// <summary>The guest's own network namespace, once it is booted.</summary>
    internal Namespace Net => _guest!;

    /// <summary>An Ethernet frame; MACs and payload as hexadecimal digits, colons and spaces left out.</summary>
    internal static byte[] Frame(string to, string from, string type, string payload)
    {
        var frame = Convert.FromHexString($"{to}{from}{type}{payload}".Replace(":", "", StringComparison.Ordinal).Replace(" ", "", StringComparison.Ordinal));
        return frame.Length >= 60 ? frame : [.. frame, .. new byte[60 - frame.Length]];
    }

    /// <summary>Sends frames.</summary>
    internal void Send(params IEnumerable<byte[]> frames)
    {
        foreach (var frame in frames)
        {
            _file.Write([.. new byte[Header], .. frame]);
        }
    }

    /// <summary>All that reaches this guest of what another sends, told by a last frame under a MAC that passes, which has to arrive.</summary>
    /// <param name="passing">The MAC under which the other may send.</param>
    internal IReadOnlyList<byte[]> Hears(TapGuest other, string passing, params byte[][] frames)
    {
        // 88b5 is an Ethertype for experiments.
        var marker = Frame("ff:ff:ff:ff:ff:ff", passing, "88b5", $"{++_markers:x8}");
        return Hears(() => other.Send([.. frames, marker]), marker);
    }

    /// <summary>All that reaches this guest until a frame does.</summary>
    internal IReadOnlyList<byte[]> Hears(Action done, byte[] last)
    {
        var heard = new List<byte[]>();
        var buffer = new byte[70000];
        done();
        var listening = Task.Run(() =>
        {
            for (; ; )
            {
                var length = _file.Read(buffer);
                var frame = buffer[Header..length];
                if (frame.AsSpan().SequenceEqual(last))
                {
                    return;
                }
                lock (heard)
                {
                    heard.Add(frame);
                }
            }
        });
        Assert.True(listening.Wait(WatchProcess.Patience), $"the last frame did not arrive, after {heard.Count} others");
        return heard;
    }

    /// <summary>Puts a network stack behind the tap: the link eth0 of a namespace of its own.</summary>
    internal void Boot(string mac, params string[] addresses)
    {
        _guest = new();
        _inner = NetworkHost.Inside(_guest.Name, _ => TunDevice.Create("eth0", false, null, null, address: Convert.FromHexString(mac.Replace(":", "", StringComparison.Ordinal))));
        _guest.Ip("link", "set", "eth0", "up");
        foreach (var address in addresses)
        {
            _guest.Ip(["addr", "add", address, "dev", "eth0", .. address.Contains(':', StringComparison.Ordinal) ? new[] { "nodad" } : []]);
        }
        Pump(_tap, _inner);
        Pump(_inner, _tap);
    }

    /// <summary>A TCP connection from the guest to an address of the host's, over which bytes go to and fro until it is closed.</summary>
    internal Conversation Talk(Namespace host, string address)
    {
        // A socket stays in the network namespace in which it was made.
        var listener = NetworkHost.Inside(host.Name, _ =>
        {
            var socket = new TcpListener(IPAddress.Parse(address), 0);
            socket.Start();
            return socket;
        });
        var client = NetworkHost.Inside(_guest!.Name, _ => new TcpClient(IPAddress.Parse(address).AddressFamily));
        return new(listener, client);
    }

    public void Dispose()
    {
        _ended = true;
        _pumps.ForEach(p => p.Join());
        _wakeUp.Dispose();
        _file.Dispose();
        _tap.Dispose();
        _inner?.Dispose();
        _guest?.Dispose();
    }

    private static FileStream Stream(TunDevice.Tap tap) => new(new SafeFileHandle(tap.Descriptor, ownsHandle: false), FileAccess.ReadWrite, 0);

    /// <summary>Carries frames on, until the guest ends: a read that nobody ends would keep the namespace.</summary>
    private void Pump(TunDevice.Tap from, TunDevice.Tap to)
    {
        var pump = new Thread(() =>
        {
            var (reading, writing) = (Stream(from), Stream(to));
            var buffer = new byte[70000];
            while (!_ended)
            {
                if (_wakeUp.Wait(from.Descriptor, 50))
                {
                    try
                    {
                        writing.Write(buffer, 0, reading.Read(buffer));
                    }
                    catch (IOException)
                    {
                        // A link that is down takes nothing.
                    }
                }
            }
        });
        pump.Start();
        _pumps.Add(pump);
    }

    /// <summary>A TCP connection in use.</summary>
    internal sealed class Conversation : IDisposable
    {
        private readonly TcpListener _listener;
        private readonly TcpClient _client;
        private readonly TcpClient _server;

        internal Conversation(TcpListener listener, TcpClient client)
        {
            (_listener, _client) = (listener, client);
            Assert.True(client.ConnectAsync((IPEndPoint)listener.LocalEndpoint).Wait(WatchProcess.Patience), "the guest's connection does not come about");
            _server = listener.AcceptTcpClient();
            Goes();
        }

        /// <summary>That the connection is still there, and carries what each of both sends.</summary>
        internal void Goes()
        {
            for (var n = 0; n < 20; n++)
            {
                Pass(_client, _server, (byte)n);
                Pass(_server, _client, (byte)(n + 100));
            }
        }

        private static void Pass(TcpClient from, TcpClient to, byte value)
        {
            from.GetStream().WriteByte(value);
            var got = Task.Run(() => to.GetStream().ReadByte());
            Assert.True(got.Wait(WatchProcess.Patience) && got.Result == value, "the connection carries nothing any more");
        }

        public void Dispose()
        {
            _client.Dispose();
            _server.Dispose();
            _listener.Dispose();
        }
    }
}
