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

/// <summary>The diagnostics of one reading, in the order in which they were found.</summary>
public sealed class DiagnosticBag
{
    private readonly List<Diagnostic> _all = [];

    /// <summary>All of them.</summary>
    public IReadOnlyList<Diagnostic> All => _all;

    /// <summary>Whether one of them forbids going on.</summary>
    public bool HasErrors => ErrorCount > 0;

    /// <summary>How many forbid going on.</summary>
    public int ErrorCount { get; private set; }

    /// <summary>Adds an error, in words for a person.</summary>
    public void Error(SourcePosition at, string message)
    {
        ErrorCount++;
        _all.Add(new(Severity.Error, at, message));
    }

    /// <summary>Adds a warning, in words for a person.</summary>
    public void Warning(SourcePosition at, string message) => _all.Add(new(Severity.Warning, at, message));
}
