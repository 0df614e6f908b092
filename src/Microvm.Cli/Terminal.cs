using System.Text;
using Microvm.Linux;

namespace Microvm.Cli;

/// <summary>How text may look; which colour that is, the terminal's theme decides.</summary>
internal enum Style { Plain, Bold, Dim, Red, Green, Yellow, Blue, Magenta, Cyan, BoldRed, BoldYellow, BoldGreen, Reverse }

/// <summary>Where output goes and what it can show there. Without a terminal, text is plain and as wide as it likes.</summary>
internal sealed class Terminal
{
    internal static Terminal Output { get; private set; } = new(TerminalDevice.Output, "auto");
    internal static Terminal Errors { get; private set; } = new(TerminalDevice.Errors, "auto");

    /// <summary>Standard output as bytes; what is written here and through Console.Out keeps its order.</summary>
    internal static StandardStream OutputStream { get; } = new(TerminalDevice.Output);

    private readonly int _fd;

    private Terminal(int fd, string when)
    {
        _fd = fd;
        IsTerminal = TerminalDevice.IsTerminal(fd);
        Color = when switch
        {
            "always" => true,
            "never" => false,
            // https://no-color.org: any value but the empty one.
            _ => IsTerminal && Environment.GetEnvironmentVariable("NO_COLOR") is null or "" && !IsDumb,
        };
    }

    internal bool IsTerminal { get; }
    internal bool Color { get; }

    /// <summary>Whether it is a terminal that takes the cursor anywhere; TERM=dumb says of itself that it only prints.</summary>
    internal bool CanDraw => IsTerminal && !IsDumb;

    /// <summary>Columns to stay within: COLUMNS, else the terminal's own, else 80; null (no limit) without a terminal, so that a script gets the same everywhere.</summary>
    internal int? Width => !IsTerminal ? null
        : int.TryParse(Environment.GetEnvironmentVariable("COLUMNS"), out var columns) && columns > 0 ? columns
        : TerminalDevice.Size(_fd)?.Columns ?? 80;

    /// <summary>Whether block and line-drawing characters can be shown: a UTF-8 locale, or no terminal at all.</summary>
    internal bool Unicode => !IsTerminal || Locale().Contains("utf", StringComparison.OrdinalIgnoreCase);

    internal string Paint(Style style, string text) => Color ? Paint(text, style) : text;

    internal static string Paint(string text, Style style) => style == Style.Plain || text.Length == 0 ? text : $"\e[{style switch
    {
        Style.Bold => "1",
        Style.Dim => "2",
        Style.Red => "31",
        Style.Green => "32",
        Style.Yellow => "33",
        Style.Blue => "34",
        Style.Magenta => "35",
        Style.Cyan => "36",
        Style.BoldRed => "1;31",
        Style.BoldYellow => "1;33",
        Style.BoldGreen => "1;32",
        _ => "7",
    }}m{text}\e[0m";

    /// <summary>Takes the console's streams as they are: .NET's own set-up would read terminfo and switch the keypad's mode.</summary>
    internal static void Open()
    {
        TerminalDevice.OpenClosed();
        var utf8 = new UTF8Encoding(false);
        Console.SetOut(new StreamWriter(OutputStream, utf8) { AutoFlush = true });
        Console.SetIn(new StreamReader(Console.OpenStandardInput(), utf8));
        Console.SetError(new StreamWriter(new StandardStream(TerminalDevice.Errors, mustArrive: false), utf8) { AutoFlush = true });
    }

    /// <summary>Decides about colour: auto, always or never.</summary>
    internal static void Choose(string? when)
    {
        Output = new(TerminalDevice.Output, when ?? "auto");
        Errors = new(TerminalDevice.Errors, when ?? "auto");
    }

    private static bool IsDumb => Environment.GetEnvironmentVariable("TERM") is "dumb" or "" or null;

    private static string Locale() =>
        new[] { "LC_ALL", "LC_CTYPE", "LANG" }.Select(Environment.GetEnvironmentVariable).FirstOrDefault(v => !string.IsNullOrEmpty(v)) ?? "";
}
