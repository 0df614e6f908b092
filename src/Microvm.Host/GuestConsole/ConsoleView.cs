using System.Net.Sockets;
using Microvm.Linux;

namespace Microvm.Host.GuestConsole;

/// <summary>A person, or a script, at the console of a VM that runs as a unit.</summary>
internal static class ConsoleView
{
    /// <summary>Passes on what is typed and printed until <see cref="ConsoleKeys.Key"/> is pressed, the VM ends, or a wake-up comes.</summary>
    /// <param name="console">The connection.</param>
    /// <param name="end">Ends it from a signal handler.</param>
    /// <returns>Whether the VM's end was the end.</returns>
    internal static bool Show(Socket console, WakeUp end)
    {
        var set = new PollSet();
        var output = new StandardStream(TerminalDevice.Output);
        var buffer = new byte[16384];
        var (input, left) = (true, false);
        var isTerminal = TerminalDevice.IsTerminal(TerminalDevice.Input);
        var keys = new ConsoleKeys(() => left = true);
        console.SendTimeout = 0;
        while (!left && !output.IsBroken)
        {
            set.Clear();
            set.Add(end.Descriptor, read: true);
            set.Add((int)console.Handle, read: true);
            if (input)
            {
                set.Add(TerminalDevice.Input, read: true);
            }
            var ready = set.Wait(-1).Readable;
            if (ready.Contains(end.Descriptor))
            {
                return false;
            }
            if (ready.Contains((int)console.Handle))
            {
                var count = console.Receive(buffer, SocketFlags.None, out _);
                if (count <= 0)
                {
                    return true;
                }
                output.Write(buffer.AsSpan(0, count));
            }
            if (ready.Contains(TerminalDevice.Input))
            {
                var count = TerminalDevice.Read(TerminalDevice.Input, buffer);
                // A pipe that has ended: what the guest answers is still shown.
                input = count > 0;
                var typed = buffer.AsMemory(0, Math.Max(count, 0));
                for (var rest = isTerminal ? keys.Of(typed) : typed; rest.Length > 0;)
                {
                    var sent = console.Send(rest.Span, SocketFlags.None, out var error);
                    if (error != SocketError.Success)
                    {
                        return true;
                    }
                    rest = rest[sent..];
                }
            }
        }
        return false;
    }
}
