using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microvm.Linux;

namespace Microvm.Host.GuestConsole;

/// <summary>Passes on what a guest prints at its console, to standard output and to everybody who is attached, and what they type.</summary>
/// <param name="master">Our end of the console's pseudo-terminal. The other end stays open here as well until the program has ended.</param>
/// <param name="job">The program at the other end.</param>
internal sealed class ConsoleRelay(FileDescriptor master, Process job) : IDisposable
{
    /// <summary>How much of what was printed is shown to somebody who attaches: a screen, or a login prompt that waits.</summary>
    private const int Recent = 8192;

    /// <summary>How far behind somebody who is attached may be, before the connection is closed.</summary>
    private const int Backlog = 1 << 20;

    private readonly PollSet _set = new();
    private readonly WakeUp _ended = new();
    private readonly List<Attached> _attached = [];
    private readonly StandardStream _output = new(TerminalDevice.Output);
    private readonly byte[] _buffer = new byte[16384];
    private readonly Queue<byte> _recent = new(Recent);
    private byte[] _typed = [];

    /// <summary>Where others attach; null where they can't.</summary>
    public Socket? Listener { get; init; }

    /// <summary>Looks at what is typed at standard input before the guest gets it, and returns what the guest is to get; null where standard input
    /// is nobody's.</summary>
    public Func<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>? Keys { get; init; }

    /// <summary>Passes on until the program has ended. Signals that ask this process to end go to the program.</summary>
    /// <returns>The program's exit code; 128 and the signal's number where a signal ended it.</returns>
    public int Run()
    {
        job.EnableRaisingEvents = true;
        job.Exited += (_, _) => _ended.Set();
        var signals = ((PosixSignal[])[PosixSignal.SIGTERM, PosixSignal.SIGINT, PosixSignal.SIGHUP, PosixSignal.SIGQUIT]).Select(s => PosixSignalRegistration.Create(s, context =>
        {
            context.Cancel = true;
            PosixProcess.Terminate(job.Id);
        })).ToList();
        var input = Keys is not null;
        while (!job.HasExited)
        {
            input = Pass(input);
        }
        job.WaitForExit();
        // What it printed last.
        while (Printed())
        {
        }
        signals.ForEach(s => s.Dispose());
        return job.ExitCode;
    }

    private bool Pass(bool input)
    {
        // Nothing more is taken from those who type until the guest has read what they typed.
        var waiting = _typed.Length > 0;
        _set.Clear();
        _set.Add(_ended.Descriptor, read: true);
        _set.Add(master.Value, read: true, write: waiting);
        if (Listener is { } listener)
        {
            _set.Add((int)listener.Handle, read: true);
        }
        if (input && !waiting)
        {
            _set.Add(TerminalDevice.Input, read: true);
        }
        _attached.ForEach(a => _set.Add(a.Descriptor, read: !waiting, write: a.Unsent.Count > 0));
        var (readable, writable) = _set.Wait(-1);
        if (readable.Contains(master.Value))
        {
            Printed();
        }
        if (writable.Contains(master.Value))
        {
            Type([]);
        }
        if (input && readable.Contains(TerminalDevice.Input))
        {
            var count = TerminalDevice.Read(TerminalDevice.Input, _buffer);
            input = count > 0;
            Type(count > 0 ? Keys!(_buffer.AsMemory(0, count)).Span : []);
        }
        foreach (var a in _attached.ToList())
        {
            if ((readable.Contains(a.Descriptor) && !Heard(a)) || (writable.Contains(a.Descriptor) && !a.Send([])))
            {
                a.Dispose();
                _attached.Remove(a);
            }
        }
        if (Listener is { } door && readable.Contains((int)door.Handle))
        {
            Accept(door);
        }
        return input;
    }

    /// <summary>Passes on what the guest has printed.</summary>
    /// <returns>Whether it had.</returns>
    private bool Printed()
    {
        _set.Clear();
        _set.Add(master.Value, read: true);
        if (_set.Wait(0).Readable.Count == 0 || TerminalDevice.Read(master.Value, _buffer) is not (> 0 and var count))
        {
            return false;
        }
        var bytes = _buffer.AsSpan(0, count);
        _output.Write(bytes);
        foreach (var b in bytes)
        {
            if (_recent.Count == Recent)
            {
                _recent.Dequeue();
            }
            _recent.Enqueue(b);
        }
        for (var n = _attached.Count - 1; n >= 0; n--)
        {
            if (!_attached[n].Send(bytes))
            {
                _attached[n].Dispose();
                _attached.RemoveAt(n);
            }
        }
        return true;
    }

    private bool Heard(Attached from)
    {
        var count = from.Receive(_buffer);
        Type(_buffer.AsSpan(0, Math.Max(count, 0)));
        return count != 0;
    }

    /// <summary>Gives the guest what was typed, as far as it takes it now.</summary>
    private void Type(ReadOnlySpan<byte> keys)
    {
        byte[] all = [.. _typed, .. keys];
        var written = all.Length == 0 ? 0 : TerminalDevice.Write(master.Value, all);
        _typed = all[Math.Clamp(written, 0, all.Length)..];
    }

    private void Accept(Socket door)
    {
        try
        {
            var attached = new Attached(door.Accept());
            if (attached.Send([.. _recent]))
            {
                _attached.Add(attached);
            }
        }
        catch (SocketException)
        {
            // Whoever knocked is gone again.
        }
    }

    public void Dispose()
    {
        _attached.ForEach(a => a.Dispose());
        _ended.Dispose();
    }

    /// <summary>Somebody who is attached.</summary>
    private sealed class Attached : IDisposable
    {
        private readonly Socket _socket;

        internal Attached(Socket socket)
        {
            _socket = socket;
            socket.Blocking = false;
        }

        internal int Descriptor => (int)_socket.Handle;

        internal List<byte> Unsent { get; } = [];

        /// <returns>Whether the other end still takes anything.</returns>
        internal bool Send(ReadOnlySpan<byte> bytes)
        {
            Unsent.AddRange(bytes);
            if (Unsent.Count == 0)
            {
                return true;
            }
            var sent = _socket.Send(CollectionsMarshal.AsSpan(Unsent), SocketFlags.None, out var error);
            Unsent.RemoveRange(0, error == SocketError.Success ? sent : 0);
            return error is SocketError.Success or SocketError.WouldBlock && Unsent.Count <= Backlog;
        }

        /// <returns>How much was read; 0 at the end, less where nothing is there now.</returns>
        internal int Receive(Span<byte> buffer)
        {
            var count = _socket.Receive(buffer, SocketFlags.None, out var error);
            return error switch { SocketError.Success => count, SocketError.WouldBlock => -1, _ => 0 };
        }

        public void Dispose() => _socket.Dispose();
    }
}
