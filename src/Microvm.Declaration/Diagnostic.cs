namespace Microvm.Declaration;

/// <summary>Where a thing stands in a declaration. Lines and columns count from 1; 0 means unknown.</summary>
public readonly record struct SourcePosition(string File, int Line, int Column)
{
    /// <summary><c>file:line:column</c>, or the file alone where the place is unknown.</summary>
    public override string ToString() => Line > 0 ? $"{File}:{Line}:{Column}" : File;
}

/// <summary>Whether a diagnostic forbids going on.</summary>
public enum Severity
{
    /// <summary>The declaration can't be used.</summary>
    Error,

    /// <summary>It can be used, and is perhaps not meant so.</summary>
    Warning,
}

/// <summary>One thing to say about a declaration, and where it stands.</summary>
public sealed record Diagnostic(Severity Severity, SourcePosition At, string Message)
{
    /// <summary><c>file:line:column: error: message</c>, as compilers print it.</summary>
    public override string ToString() => $"{At}: {(Severity == Severity.Error ? "error" : "warning")}: {Message}";
}

/// <summary>The diagnostics of one reading, file by file as they were found, each file's in the order of its lines.</summary>
public sealed class DiagnosticBag
{
    /// <summary>More than these nobody reads; they are counted.</summary>
    private const int Most = 200;
    private readonly List<Diagnostic> _all = [];
    private int _more;

    /// <summary>The first 200 of them, and after these, where there were more, one that says how many.</summary>
    public IReadOnlyList<Diagnostic> All => _more == 0 ? InOrder()
        : [.. InOrder(), new(ErrorCount > 0 ? Severity.Error : Severity.Warning, new(_all[^1].At.File, 0, 0), $"and {_more.ToString("N0", System.Globalization.CultureInfo.InvariantCulture)} more")];

    private List<Diagnostic> InOrder() => [.. _all.GroupBy(d => d.At.File).SelectMany(f => f.OrderBy(d => d.At.Line).ThenBy(d => d.At.Column))];

    /// <summary>Whether one of them forbids going on.</summary>
    public bool HasErrors => ErrorCount > 0;

    /// <summary>How many forbid going on.</summary>
    public int ErrorCount { get; private set; }

    /// <summary>Adds an error, in words for a person.</summary>
    public void Error(SourcePosition at, string message)
    {
        ErrorCount++;
        Add(new(Severity.Error, at, message));
    }

    /// <summary>Adds a warning, in words for a person.</summary>
    public void Warning(SourcePosition at, string message) => Add(new(Severity.Warning, at, message));

    /// <summary>Adds all that another bag has.</summary>
    internal void Take(DiagnosticBag other)
    {
        ErrorCount += other.ErrorCount;
        foreach (var diagnostic in other._all)
        {
            Add(diagnostic);
        }
        _more += other._more;
    }

    private void Add(Diagnostic diagnostic)
    {
        if (_all.Count < Most)
        {
            _all.Add(diagnostic);
        }
        else
        {
            _more++;
        }
    }
}
