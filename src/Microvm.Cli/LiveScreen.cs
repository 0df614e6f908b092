using System.Runtime.InteropServices;
using System.Text;
using Microvm.Linux;
using Microvm.Observation;

namespace Microvm.Cli;

/// <summary>The whole terminal as one picture that is drawn again and again, and keys. However it ends, disposing gives the terminal back as it was.</summary>
internal sealed class LiveScreen : IDisposable
{
    // The alternate screen, no cursor, no wrapping; and back.
    private const string Enter = "\e[?1049h\e[?25l\e[?7l\e[2J", Leave = "\e[?7h\e[?25h\e[?1049l";
    private readonly Interrupts _interrupts;
    private readonly byte[] _input = new byte[64];
    private readonly bool _keys = TerminalDevice.IsTerminal(TerminalDevice.Input);
    private TerminalDevice.KeyMode? _mode;
    private volatile bool _suspend;

    internal LiveScreen(Interrupts interrupts)
    {
        _interrupts = interrupts;
        interrupts.On(PosixSignal.SIGQUIT, interrupts.RequestStop);
        interrupts.On(PosixSignal.SIGWINCH, () => { });
        interrupts.On(PosixSignal.SIGTSTP, () => _suspend = true);
        Start();
    }

    internal static (int Columns, int Rows) Size => TerminalDevice.Size(TerminalDevice.Output) ?? (Terminal.Output.Width ?? 80, 24);

    /// <summary>Draws the lines from the top; what is below them is cleared. A line must fit the width.</summary>
    internal void Draw(IEnumerable<string> lines)
    {
        var (columns, rows) = Size;
        // Behind a line that fills the width the cursor stands on its last letter, and clearing would take that.
        var drawn = lines.Take(rows).Select(l => CellText.Width(CellText.Unpainted(l)) < columns ? l + "\e[K" : l).ToList();
        Console.Out.Write(new StringBuilder("\e[H").AppendJoin("\r\n", drawn).Append(drawn.Count < rows ? "\r\n\e[J" : "").ToString());
    }

    /// <summary>Waits for keys; none after the time is over, or when the screen is to be drawn anew.</summary>
    internal IReadOnlyList<string> Keys(int milliseconds)
    {
        var ready = _interrupts.WakeUp.Wait(_keys ? TerminalDevice.Input : -1, milliseconds);
        if (_suspend)
        {
            _suspend = false;
            Stop();
            PosixProcess.Suspend();
            Start();
            return [];
        }
        if (!ready)
        {
            Hold();
            return [];
        }
        var got = TerminalDevice.Read(TerminalDevice.Input, _input);
        if (got <= 0)
        {
            // The terminal is gone.
            _interrupts.RequestStop();
            return [];
        }
        // An escape sequence may come in two pieces over a slow line.
        if (_input[got - 1] == '\e' && got < _input.Length / 2 && _interrupts.WakeUp.Wait(TerminalDevice.Input, 50))
        {
            got += Math.Max(0, TerminalDevice.Read(TerminalDevice.Input, _input.AsSpan(got)));
        }
        return KeyReader.Read(_input.AsSpan(0, got));
    }

    private void Hold()
    {
        try
        {
            _mode?.Hold();
        }
        catch (LinuxException)
        {
            // The terminal is gone.
            _interrupts.RequestStop();
        }
    }

    public void Dispose() => Stop();

    private void Start()
    {
        _mode = _keys ? TerminalDevice.ReadKeys(TerminalDevice.Input) : null;
        Console.Out.Write(Enter);
    }

    private void Stop()
    {
        Console.Out.Write(Leave);
        _mode?.Dispose();
        _mode = null;
    }
}
