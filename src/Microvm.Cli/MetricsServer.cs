using System.Net;
using System.Net.Sockets;
using System.Text;
using Microvm.Linux;
using Microvm.Observation;

namespace Microvm.Cli;

/// <summary>The least of HTTP/1.1 that a scrape needs: one GET a connection, answered and closed. Each connection has a thread and little
/// time for all that it does, and the oldest goes where there are too many, so that those who say nothing keep nobody from asking.
/// A page is made by one at a time.</summary>
/// <param name="page">Looks at the host. Where that fails, the scrape fails, with the reason, and the next one looks again.</param>
/// <param name="log">Told of a failure once, as long as it lasts.</param>
internal sealed class MetricsServer(Socket listener, Func<string> page, Action<string> log)
{
    private const int LongestRequest = 8192, Milliseconds = 2000, MostClients = 64, Stack = 256 * 1024;
    private readonly List<Socket> _clients = [];
    private readonly Lock _page = new();
    private string? _told;

    internal void Run(Interrupts interrupts)
    {
        while (!interrupts.Stop)
        {
            if (!interrupts.WakeUp.Wait((int)listener.Handle, -1))
            {
                continue;
            }
            try
            {
                var client = listener.Accept();
                lock (_clients)
                {
                    _clients.Add(client);
                    if (_clients.Count > MostClients)
                    {
                        _clients[0].Dispose();
                        _clients.RemoveAt(0);
                    }
                }
                // A thread has the capabilities and the namespace of the one that starts it.
                new Thread(() => Serve(client), Stack) { IsBackground = true }.Start();
            }
            catch (Exception e) when (e is SocketException or IOException)
            {
                // The client left; the next one comes. Where the machine has no descriptor for it, a moment passes first.
                if (e is SocketException { SocketErrorCode: SocketError.TooManyOpenSockets })
                {
                    Told(e.Message);
                    interrupts.WakeUp.Wait(-1, Milliseconds / 10);
                }
            }
        }
    }

    private void Serve(Socket client)
    {
        try
        {
            // What the socket's file was made with, and is removed with, is not this thread's.
            Privilege.Serve();
            Answer(client);
        }
        catch (Exception e) when (e is LinuxException or SocketException or ObjectDisposedException)
        {
            // The client left, or had to make room.
        }
        finally
        {
            lock (_clients)
            {
                _clients.Remove(client);
            }
            client.Dispose();
        }
    }

    private void Answer(Socket client)
    {
        var request = Request(client).Split(' ');
        var (status, body, type) = request.Length < 3 ? ("400 Bad Request", "this speaks HTTP\n", "text/plain")
            : request[0] is not ("GET" or "HEAD") ? ("405 Method Not Allowed", "only GET\n", "text/plain")
            : request[1].Split('?')[0] is "/metrics" or "/" ? Page()
            : ("404 Not Found", "look at /metrics\n", "text/plain");
        var bytes = Encoding.UTF8.GetBytes(body);
        byte[] all = [.. Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\nContent-Type: {type}\r\nContent-Length: {bytes.Length}\r\nConnection: close\r\n\r\n"), .. request[0] == "HEAD" ? Array.Empty<byte>() : bytes];
        var until = Environment.TickCount64 + Milliseconds;
        for (var sent = 0; sent < all.Length && Environment.TickCount64 < until;)
        {
            client.SendTimeout = (int)Math.Max(1, until - Environment.TickCount64);
            sent += client.Send(all.AsSpan(sent));
        }
        client.Shutdown(SocketShutdown.Send);
    }

    private (string Status, string Body, string Type) Page()
    {
        lock (_page)
        {
            try
            {
                var body = page();
                _told = null;
                return ("200 OK", body, MetricsPage.ContentType);
            }
            catch (Exception e) when (e is LinuxException or IOException or UnauthorizedAccessException)
            {
                Told(e.Message);
                return ("503 Service Unavailable", $"{e.Message}\n", "text/plain");
            }
        }
    }

    private void Told(string why)
    {
        if (_told != why)
        {
            log(why);
        }
        _told = why;
    }

    /// <summary>The request's first line, once its head is whole; "" where that takes too long or is too much.</summary>
    private static string Request(Socket client)
    {
        var buffer = new byte[LongestRequest];
        var until = Environment.TickCount64 + Milliseconds;
        for (var got = 0; got < buffer.Length;)
        {
            client.ReceiveTimeout = (int)Math.Max(1, until - Environment.TickCount64);
            var more = client.Receive(buffer.AsSpan(got));
            got += more;
            var text = Encoding.ASCII.GetString(buffer, 0, got);
            if (text.Contains("\r\n\r\n", StringComparison.Ordinal) || text.Contains("\n\n", StringComparison.Ordinal))
            {
                return text.Split('\n')[0].Trim();
            }
            if (more == 0 || Environment.TickCount64 >= until)
            {
                break;
            }
        }
        return "";
    }

    /// <summary>Listens on ADDRESS:PORT, on this machine alone unless <paramref name="anywhere"/>.</summary>
    internal static Socket Tcp(string where, bool anywhere)
    {
        if (!IPEndPoint.TryParse(where, out var end) || end.Port == 0 && !where.EndsWith(":0", StringComparison.Ordinal))
        {
            throw new UsageException("--listen takes ADDRESS:PORT, such as 127.0.0.1:9477 or [::1]:9477");
        }
        if (!IPAddress.IsLoopback(end.Address) && !anywhere)
        {
            throw new UsageException($"{end.Address} can be reached from other machines, and metrics have no password; use --anywhere if you mean it");
        }
        return Bind(new Socket(end.AddressFamily, SocketType.Stream, ProtocolType.Tcp), end, where);
    }

    internal static Socket Bind(Socket socket, EndPoint end, string where)
    {
        try
        {
            socket.Bind(end);
            socket.Listen(16);
            return socket;
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw new IOException($"listen on {where}: {e.Message}");
        }
    }
}
