using System.Globalization;
using System.Text;

namespace Microvm.Linux;

/// <summary>Tells the service manager how we are (sd_notify(3)); does nothing where none listens.</summary>
internal sealed unsafe class ServiceNotifier : IDisposable
{
    private readonly FileDescriptor? _socket;

    /// <summary>How often <see cref="Alive"/> is expected, half of WATCHDOG_USEC; null where no watchdog runs.</summary>
    public TimeSpan? WatchdogInterval { get; }

    /// <summary>Connects to the socket that NOTIFY_SOCKET names; a name with @ in front is an abstract one.</summary>
    /// <exception cref="LinuxException">There is such a name, and no socket behind it.</exception>
    public ServiceNotifier()
    {
        const int AF_UNIX = 1, SOCK_DGRAM = 2, SOCK_CLOEXEC = 0x80000;
        if (Environment.GetEnvironmentVariable("NOTIFY_SOCKET") is not { Length: > 1 and < 108 } name || name[0] is not ('/' or '@'))
        {
            return;
        }
        _socket = new((int)Libc.Check(Libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "open a socket to the service manager"));
        Span<byte> address = stackalloc byte[2 + Encoding.UTF8.GetMaxByteCount(name.Length)];
        address[0] = AF_UNIX;
        address[1] = 0;
        var length = 2 + Encoding.UTF8.GetBytes(name, address[2..]);
        if (name[0] == '@')
        {
            address[2] = 0;
        }
        fixed (byte* p = address)
        {
            Libc.Check(Libc.connect(_socket.Value, p, (uint)length), $"reach the service manager at {name}");
        }
        if (long.TryParse(Environment.GetEnvironmentVariable("WATCHDOG_USEC"), NumberStyles.None, CultureInfo.InvariantCulture, out var microseconds) && microseconds > 0
            && (Environment.GetEnvironmentVariable("WATCHDOG_PID") is not { Length: > 0 } pid || pid == Environment.ProcessId.ToString(CultureInfo.InvariantCulture)))
        {
            WatchdogInterval = TimeSpan.FromMicroseconds(microseconds / 2.0);
        }
    }

    /// <summary>The service is up.</summary>
    public void Ready(string status) => Send($"READY=1\nSTATUS={status}");

    /// <summary>A line for <c>systemctl status</c>.</summary>
    public void Status(string status) => Send($"STATUS={status}");

    /// <summary>The watchdog's sign of life.</summary>
    public void Alive() => Send("WATCHDOG=1");

    /// <summary>The service is about to end.</summary>
    public void Stopping() => Send("STOPPING=1");

    public void Dispose() => _socket?.Dispose();

    private void Send(string text)
    {
        const int MSG_NOSIGNAL = 0x4000, MSG_DONTWAIT = 0x40;
        if (_socket is null)
        {
            return;
        }
        var bytes = Encoding.UTF8.GetBytes(text);
        fixed (byte* p = bytes)
        {
            // A manager that is not listening right now, or whose socket is full, must not stop the work.
            _ = Libc.send(_socket.Value, p, (nuint)bytes.Length, MSG_NOSIGNAL | MSG_DONTWAIT);
        }
    }
}
