using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Microvm.Host.Control;

/// <summary>One HTTP request of a hypervisor's API.</summary>
/// <param name="Body">JSON, or null for none.</param>
internal sealed record ApiRequest(string Method, string Path, string? Body);

/// <summary>What a hypervisor's HTTP API wants to hear.</summary>
internal interface IApiRequests
{
    IReadOnlyList<ApiRequest> Shutdown { get; }
    ApiRequest? Quit { get; }

    /// <exception cref="ControlException">There is no balloon, or the size doesn't fit.</exception>
    ApiRequest Memory(long mebibytes);
}

/// <summary>HTTP/1.1 over a Unix socket, as much as those APIs need: one request a connection.</summary>
internal sealed class HttpControl : IVmControl
{
    private const int MaxAnswer = 1024 * 1024;
    private readonly string _path;
    private readonly IApiRequests _requests;
    private readonly SocketHolders _holders;

    internal HttpControl(string path, IApiRequests requests, SocketHolders holders) => (_path, _requests, _holders) = (path, requests, holders);

    public void RequestShutdown()
    {
        foreach (var request in _requests.Shutdown)
        {
            Send(request);
        }
    }

    public bool Quit()
    {
        if (_requests.Quit is not { } quit)
        {
            return false;
        }
        try
        {
            Send(quit);
        }
        catch (ControlException)
        {
            // It may end before it answers.
        }
        return true;
    }

    public long? SetMemory(long mebibytes)
    {
        Send(_requests.Memory(mebibytes));
        return null;
    }

    public bool WaitForEnd(TimeSpan limit)
    {
        // A server may close a connection and live on, so the end is when nobody listens any more.
        var clock = Stopwatch.StartNew();
        while (clock.Elapsed < limit)
        {
            using var stream = UnixStream.Connect(_path, _holders);
            if (stream is null)
            {
                return true;
            }
            Thread.Sleep(100);
        }
        return false;
    }

    public void Dispose()
    {
    }

    private void Send(ApiRequest request)
    {
        using var stream = UnixStream.Connect(_path, _holders) ?? throw new ControlException("the hypervisor has ended");
        var body = Encoding.UTF8.GetBytes(request.Body ?? "");
        var head = $"{request.Method} {request.Path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n"
            + (request.Body is null ? "" : "Content-Type: application/json\r\n")
            + string.Create(CultureInfo.InvariantCulture, $"Content-Length: {body.Length}\r\n\r\n");
        try
        {
            stream.Write([.. Encoding.ASCII.GetBytes(head), .. body]);
            Judge(request, ReadAnswer(stream));
        }
        catch (IOException e)
        {
            throw new ControlException($"the hypervisor doesn't answer {request.Method} {request.Path}: {e.Message}", e);
        }
    }

    private static void Judge(ApiRequest request, string answer)
    {
        var status = answer.Split("\r\n", 2)[0].Split(' ');
        if (status.Length < 2 || !status[0].StartsWith("HTTP/1.", StringComparison.Ordinal) || !int.TryParse(status[1], NumberStyles.None, CultureInfo.InvariantCulture, out var code))
        {
            throw new ControlException($"this is no HTTP: '{Declaration.Printable.Of(answer.Length > 80 ? answer[..80] : answer)}'");
        }
        if (code is < 200 or > 299)
        {
            var body = answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) is >= 0 and var at ? answer[(at + 4)..] : "";
            throw new ControlException($"the hypervisor refused {request.Method} {request.Path} with {code}{(body.Length > 0 ? $": {Declaration.Printable.Of(body)}" : "")}");
        }
    }

    /// <summary>Head and body; the body's length stands in its header, or it ends with the connection.</summary>
    private static string ReadAnswer(NetworkStream stream)
    {
        var bytes = new List<byte>();
        var buffer = new byte[4096];
        var until = UnixStream.Deadline;
        for (; ; )
        {
            var text = Encoding.UTF8.GetString([.. bytes]);
            if (text.IndexOf("\r\n\r\n", StringComparison.Ordinal) is >= 0 and var head && bytes.Count >= head + 4 + Length(text[..head]))
            {
                return text;
            }
            var got = bytes.Count > MaxAnswer ? 0 : UnixStream.Read(stream, buffer, until);
            if (got == 0)
            {
                return text;
            }
            bytes.AddRange(buffer[..got]);
        }
    }

    private static int Length(string head)
    {
        const string Header = "content-length:";
        var line = head.Split("\r\n").FirstOrDefault(l => l.StartsWith(Header, StringComparison.OrdinalIgnoreCase));
        return line is not null && int.TryParse(line[Header.Length..].Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var length) ? length : 0;
    }
}
