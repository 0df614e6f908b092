using System.Text;

namespace Microvm.Screens;

/// <summary>How a cell looks. Colours are the terminal's sixteen, -1 for its own.</summary>
internal readonly record struct Pen(int Foreground, int Background, bool Bold, bool Dim, bool Reverse)
{
    internal static readonly Pen Plain = new(-1, -1, false, false, false);
}

/// <summary>What a terminal shows after it took some bytes: enough of ECMA-48 for programs that behave.</summary>
internal sealed class VirtualScreen
{
    private readonly Decoder _utf8 = Encoding.UTF8.GetDecoder();
    private readonly StringBuilder _sequence = new();
    private (string Text, Pen Pen)[,] _cells;
    private (string Text, Pen Pen)[,]? _main;
    private Pen _pen = Pen.Plain;
    private int _row, _column;

    internal VirtualScreen(int columns, int rows) => _cells = Blank(columns, rows);

    internal int Columns => _cells.GetLength(1);
    internal int Rows => _cells.GetLength(0);

    /// <summary>The alternate screen is shown: a full-screen program runs.</summary>
    internal bool IsAlternate => _main is not null;
    internal bool CursorShown { get; private set; } = true;
    internal bool Wraps { get; private set; } = true;

    /// <summary>Something went past the right edge.</summary>
    internal bool Overflowed { get; private set; }

    internal (string Text, Pen Pen) this[int row, int column] => _cells[row, column];
    internal IReadOnlyList<string> Lines => [.. Enumerable.Range(0, Rows).Select(r => string.Concat(Enumerable.Range(0, Columns).Select(c => _cells[r, c].Text)).TrimEnd())];
    internal string Text => string.Join('\n', Lines).TrimEnd();

    internal void Resize(int columns, int rows)
    {
        var cells = Blank(columns, rows);
        for (var r = 0; r < Math.Min(rows, Rows); r++)
        {
            for (var c = 0; c < Math.Min(columns, Columns); c++)
            {
                cells[r, c] = _cells[r, c];
            }
        }
        _cells = cells;
        (_row, _column) = (Math.Min(_row, rows - 1), Math.Min(_column, columns - 1));
    }

    internal void Write(ReadOnlySpan<byte> bytes)
    {
        var text = new char[bytes.Length + 1];
        var length = _utf8.GetChars(bytes, text, false);
        foreach (var rune in new string(text, 0, length).EnumerateRunes())
        {
            Write(rune);
        }
    }

    private void Write(Rune rune)
    {
        if (_sequence.Length > 0)
        {
            _sequence.Append(rune.ToString());
            var isControl = _sequence.Length > 1 && _sequence[1] == '[';
            if (isControl ? _sequence.Length > 2 && rune.Value is >= '@' and <= '~' : _sequence.Length == 2)
            {
                var sequence = _sequence.ToString();
                _sequence.Clear();
                if (isControl)
                {
                    Control(sequence[2..^1], sequence[^1]);
                }
            }
            return;
        }
        switch (rune.Value)
        {
            case 0x1b: _sequence.Append('\e'); break;
            case '\r': _column = 0; break;
            case '\n': NextLine(); break;
            case '\b': _column = Math.Max(0, _column - 1); break;
            case >= ' ': Put(rune); break;
        }
    }

    private void Put(Rune rune)
    {
        var width = CharacterWidth.Of(rune);
        if (width == 0)
        {
            // A mark belongs to the letter before it.
            if (_column > 0)
            {
                _cells[_row, _column - 1].Text += rune.ToString();
            }
            return;
        }
        if (_column + width > Columns)
        {
            Overflowed = true;
            if (!Wraps)
            {
                return;
            }
            _column = 0;
            NextLine();
        }
        _cells[_row, _column++] = (rune.ToString(), _pen);
        if (width == 2)
        {
            _cells[_row, _column++] = ("", _pen);
        }
    }

    private void NextLine()
    {
        if (_row < Rows - 1)
        {
            _row++;
            return;
        }
        for (var r = 0; r < Rows; r++)
        {
            for (var c = 0; c < Columns; c++)
            {
                _cells[r, c] = r < Rows - 1 ? _cells[r + 1, c] : (" ", Pen.Plain);
            }
        }
    }

    private void Control(string parameters, char final)
    {
        if (parameters.StartsWith('?'))
        {
            Mode(parameters[1..], final == 'h');
            return;
        }
        var n = parameters.Split(';').Select(p => int.TryParse(p, out var v) ? v : 0).ToArray();
        switch (final)
        {
            case 'H' or 'f': (_row, _column) = (Math.Clamp(n[0] - 1, 0, Rows - 1), Math.Clamp(n.ElementAtOrDefault(1) - 1, 0, Columns - 1)); break;
            case 'A': _row = Math.Max(0, _row - Math.Max(1, n[0])); break;
            case 'B': _row = Math.Min(Rows - 1, _row + Math.Max(1, n[0])); break;
            case 'C': _column = Math.Min(Columns - 1, _column + Math.Max(1, n[0])); break;
            case 'D': _column = Math.Max(0, _column - Math.Max(1, n[0])); break;
            case 'K': Clear(_row, n[0] == 0 ? _column : 0, _row, n[0] == 1 ? _column : Columns - 1); break;
            case 'J' when n[0] == 0: Clear(_row, _column, Rows - 1, Columns - 1); break;
            case 'J' when n[0] == 2: Clear(0, 0, Rows - 1, Columns - 1); break;
            case 'm': n.Aggregate(0, (_, code) => { Select(code); return 0; }); break;
        }
    }

    private void Mode(string mode, bool on)
    {
        switch (mode)
        {
            case "7": Wraps = on; break;
            case "25": CursorShown = on; break;
            case "1049" when on && _main is null: (_main, _cells) = (_cells, Blank(Columns, Rows)); break;
            case "1049" when !on && _main is not null: (_cells, _main) = (_main, null); break;
        }
    }

    private void Select(int code) => _pen = code switch
    {
        0 => Pen.Plain,
        1 => _pen with { Bold = true },
        2 => _pen with { Dim = true },
        7 => _pen with { Reverse = true },
        >= 30 and <= 37 => _pen with { Foreground = code - 30 },
        39 => _pen with { Foreground = -1 },
        >= 40 and <= 47 => _pen with { Background = code - 40 },
        49 => _pen with { Background = -1 },
        >= 90 and <= 97 => _pen with { Foreground = code - 82 },
        _ => _pen,
    };

    private void Clear(int fromRow, int fromColumn, int toRow, int toColumn)
    {
        for (var at = fromRow * Columns + Math.Min(fromColumn, Columns - 1); at <= toRow * Columns + toColumn; at++)
        {
            _cells[at / Columns, at % Columns] = (" ", Pen.Plain);
        }
    }

    private static (string, Pen)[,] Blank(int columns, int rows)
    {
        var cells = new (string, Pen)[rows, columns];
        for (var r = 0; r < rows; r++)
        {
            for (var c = 0; c < columns; c++)
            {
                cells[r, c] = (" ", Pen.Plain);
            }
        }
        return cells;
    }
}
