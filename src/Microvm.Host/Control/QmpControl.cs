using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Microvm.Host.Control;

/// <summary>QEMU's machine protocol (docs/interop/qmp-spec): one JSON object a line, a greeting first. StratoVirt speaks a subset.</summary>
internal sealed class QmpControl : IVmControl
{
    private const int MaxLine = 1024 * 1024;
    private readonly NetworkStream _stream;
    private readonly List<byte> _rest = [];

    /// <summary>When the exchange under way must be over, whatever comes in between.</summary>
    private long _until = UnixStream.Deadline;

    internal QmpControl(NetworkStream stream)
    {
        _stream = stream;
        // The greeting comes when no other client holds the monitor.
        var greeting = ReadLine() ?? throw new ControlException("the hypervisor closed its control socket");
        using (var document = Parse(greeting))
        {
            if (!document.RootElement.TryGetProperty("QMP", out _))
            {
                throw new ControlException($"this is no QMP socket: it says '{Shown(greeting)}'");
            }
        }
        Execute("""{"execute":"qmp_capabilities"}""").Dispose();
    }

    /// <summary>The power button: it needs ACPI in the machine and a listener in the guest.</summary>
    public void RequestShutdown() => Execute("""{"execute":"system_powerdown"}""").Dispose();

    /// <summary>Ctrl-alt-del: it needs a keyboard controller. A guest that is shutting down already stays with that (systemd's
    /// shutdown can't be replaced by another one), and one that reboots ends all the same, for QEMU runs with -no-reboot.</summary>
    public void RequestOtherwise() =>
        Try("""{"execute":"send-key","arguments":{"keys":[{"type":"qcode","data":"ctrl"},{"type":"qcode","data":"alt"},{"type":"qcode","data":"delete"}]}}""");

    public bool Quit()
    {
        Try("""{"execute":"quit"}""");
        return true;
    }

    public long? SetMemory(long mebibytes)
    {
        Execute($$"""{"execute":"balloon","arguments":{"value":{{mebibytes * 1024 * 1024}} } }""").Dispose();
        // The guest gives memory back in its own time: it is given some, and what is told is how far it has come by then.
        var clock = Stopwatch.StartNew();
        for (; ; Thread.Sleep(50))
        {
            using var answer = Execute("""{"execute":"query-balloon"}""");
            var actual = answer.RootElement.GetProperty("return") is { ValueKind: JsonValueKind.Object } returned && returned.TryGetProperty("actual", out var told) && told.ValueKind == JsonValueKind.Number && told.TryGetInt64(out var bytes)
                ? bytes / 1024 / 1024 : throw new ControlException($"the hypervisor doesn't report the guest's memory: '{Shown(answer.RootElement.GetRawText())}'");
            if (actual == mebibytes || clock.Elapsed > s_balloonLimit)
            {
                return actual;
            }
        }
    }

    private static readonly TimeSpan s_balloonLimit = TimeSpan.FromSeconds(10);

    public bool WaitForEnd(TimeSpan limit)
    {
        var clock = Stopwatch.StartNew();
        try
        {
            while (limit - clock.Elapsed is { Ticks: > 0 } left)
            {
                _until = Environment.TickCount64 + Math.Max(1, (long)left.TotalMilliseconds);
                if (ReadLine() is null)
                {
                    return true;
                }
            }
            return false;
        }
        catch (ControlException e) when (e.InnerException is SocketException { SocketErrorCode: SocketError.TimedOut or SocketError.WouldBlock })
        {
            return false;
        }
        catch (ControlException)
        {
            return true;
        }
    }

    public void Dispose() => _stream.Dispose();

    private void Try(string request)
    {
        try
        {
            Execute(request).Dispose();
        }
        catch (ControlException)
        {
            // The guest or the machine may have no use for it, or be gone already.
        }
    }

    private JsonDocument Execute(string request)
    {
        _until = UnixStream.Deadline;
        try
        {
            _stream.Write(Encoding.UTF8.GetBytes(request + "\n"));
        }
        catch (IOException e)
        {
            throw new ControlException($"the hypervisor closed its control socket: {e.Message}", e.InnerException);
        }
        while (ReadLine() is { } line)
        {
            var document = Parse(line);
            if (document.RootElement.TryGetProperty("return", out _))
            {
                return document;
            }
            if (document.RootElement.TryGetProperty("error", out var error))
            {
                var words = error.ValueKind == JsonValueKind.Object && error.TryGetProperty("desc", out var desc) && desc.ValueKind == JsonValueKind.String ? desc.GetString()! : error.GetRawText();
                document.Dispose();
                throw new ControlException($"the hypervisor refused: {Shown(words)}");
            }
            // Events come between the answers.
            document.Dispose();
        }
        throw new ControlException("the hypervisor ended before it answered");
    }

    private static JsonDocument Parse(string line)
    {
        try
        {
            var document = JsonDocument.Parse(line);
            return document.RootElement.ValueKind == JsonValueKind.Object ? document : throw new ControlException($"this is no QMP: '{Shown(line)}'");
        }
        catch (JsonException)
        {
            throw new ControlException($"this is no QMP: '{Shown(line)}'");
        }
    }

    private static string Shown(string line) => Declaration.Printable.Of(line.Length > 200 ? line[..200] : line);

    /// <summary>The next line, or null at the end.</summary>
    private string? ReadLine()
    {
        Span<byte> buffer = stackalloc byte[4096];
        for (; ; )
        {
            if (_rest.IndexOf((byte)'\n') is >= 0 and var end)
            {
                var line = Encoding.UTF8.GetString([.. _rest[..end]]);
                _rest.RemoveRange(0, end + 1);
                return line;
            }
            if (_rest.Count > MaxLine)
            {
                throw new ControlException("the control socket sends a line without an end");
            }
            int got;
            try
            {
                got = UnixStream.Read(_stream, buffer, _until);
            }
            catch (IOException e)
            {
                throw new ControlException($"the hypervisor doesn't answer: {e.Message}", e.InnerException);
            }
            if (got == 0)
            {
                return null;
            }
            _rest.AddRange(buffer[..got]);
        }
    }
}
