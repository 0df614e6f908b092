using System.Globalization;
using Microvm.Declaration;

namespace Microvm.Nix;

/// <summary>Turns what nix says when it gives up into one diagnostic at the user's own line. Every text is gone through once: it may be a
/// megabyte, of whatever a declaration's author put there.</summary>
internal static class NixError
{
    /// <summary>Before a text of our own expression that tells where it belongs: FILE:LINE:COLUMN and a blank.</summary>
    private const string Placed = "MICROVM-AT ";
    /// <summary>Before the place of a module, in nix's trace.</summary>
    private const string Inside = "MICROVM-IN ";
    private const string Note = "trace: MICROVM-NOTE ";
    private const int LongestMessage = 900;

    /// <summary>What our expression had to say besides, once each.</summary>
    internal static void Notes(NixSource source, string errors, DiagnosticBag diagnostics)
    {
        var seen = new HashSet<string>();
        foreach (var line in errors.Split('\n'))
        {
            if (line.StartsWith(Note, StringComparison.Ordinal) && seen.Count < 100 && seen.Add(line))
            {
                diagnostics.Warning(new(source.Name, 0, 0), Printable.Of(Shown(source, line[Note.Length..]), LongestMessage));
            }
        }
    }

    internal static void Explain(NixSource source, string errors, int exitCode, DiagnosticBag diagnostics)
    {
        var plain = WithoutColour(errors);
        var message = Message(plain);
        if (message is null)
        {
            diagnostics.Error(new(source.Name, 0, 0), exitCode > 128 ? $"nix was ended by signal {exitCode - 128}: it may have needed more memory than it may use" : "nix could not evaluate this");
            return;
        }
        if (message.StartsWith(Placed, StringComparison.Ordinal) && message.IndexOf(' ', Placed.Length) is > 0 and var end
            && Location(source, message[Placed.Length..end]) is { } at)
        {
            diagnostics.Error(at, Printable.Of(Shown(source, message[(end + 1)..]), LongestMessage));
            return;
        }
        if (message.Contains("infinite recursion", StringComparison.Ordinal) && Waiting(source, plain) is { } asked)
        {
            diagnostics.Error(asked.At ?? new(source.Name, 0, 0), Printable.Of($"this module asks for the argument '{asked.Name}', which nobody gives, or only a module does, and what it defines, or imports, depends on it (infinite recursion); give it with --arg {asked.Name} EXPR or --argstr {asked.Name} TEXT, or check the flake whose specialArgs have it: DIR#NAME", LongestMessage));
            return;
        }
        var place = Place(source, plain, out var line);
        // What nix says of an option without a definition ends in advice for its author.
        var said = Shown(source, message.Replace(". Try setting the option.", "", StringComparison.Ordinal));
        diagnostics.Error(place, Printable.Of(said.EndsWith('?') ? said + AfterGuess(message, line) : said + Hint(message, line), LongestMessage));
    }

    private const string Asks = "trace: MICROVM-ASKS ", Has = "trace: MICROVM-HAS ";

    /// <summary>The argument that a module waits for in vain, with the place that asks for it: what was asked for last and never came.</summary>
    private static (string Name, SourcePosition? At)? Waiting(NixSource source, string plain)
    {
        (string Name, SourcePosition? At)? last = null;
        foreach (var line in plain.Split('\n'))
        {
            if (line.StartsWith(Asks, StringComparison.Ordinal) && line[Asks.Length..].Split(' ', 2) is [var name, var place])
            {
                last = (Printable.Of(name), place.StartsWith(Placed, StringComparison.Ordinal) ? Location(source, place[Placed.Length..]) : null);
            }
            else if (last is { } known && line.StartsWith(Has, StringComparison.Ordinal) && line[Has.Length..] == known.Name)
            {
                last = null;
            }
        }
        return last;
    }

    /// <summary>Behind nix's own guess: what a lib that somebody added to has, nix can't guess.</summary>
    private static string AfterGuess(string message, string line) =>
        message.StartsWith("attribute '", StringComparison.Ordinal) && MissingHint(message, line) is [';', ' ', var first, .. var rest] && line.Contains("lib.", StringComparison.Ordinal)
            ? $" {char.ToUpperInvariant(first)}{rest}" : "";

    /// <summary>The last thing that nix called an error, in one line.</summary>
    private static string? Message(string plain)
    {
        const string word = "error:";
        string? found = null;
        var lines = plain.Split('\n');
        for (var i = 0; i < lines.Length; i++)
        {
            var line = lines[i].TrimStart();
            if (!line.StartsWith(word, StringComparison.Ordinal) || line.Length == word.Length)
            {
                continue;
            }
            var text = new System.Text.StringBuilder(line[word.Length..].Trim());
            for (var j = i + 1; j < lines.Length && text.Length < LongestMessage; j++)
            {
                var more = lines[j].Trim();
                if (more.Length == 0 || more.StartsWith("at /", StringComparison.Ordinal) || more.StartsWith("at «", StringComparison.Ordinal) || more[0] == '…' || more.StartsWith("(use", StringComparison.Ordinal))
                {
                    break;
                }
                _ = text.Append(' ').Append(more);
            }
            found = text.ToString() + Suggestion(lines, i);
        }
        return found;
    }

    /// <summary>nix's own guess at what was meant, which it prints below the place.</summary>
    private static string Suggestion(string[] lines, int error)
    {
        const string word = "Did you mean ";
        for (var i = error + 1; i < lines.Length && i < error + 12 && !lines[i].StartsWith("error:", StringComparison.Ordinal); i++)
        {
            if (lines[i].TrimStart() is var line && line.StartsWith(word, StringComparison.Ordinal) && line.Length < 200)
            {
                return $"; did you mean {line[word.Length..].TrimEnd()}";
            }
        }
        return "";
    }

    /// <summary>The innermost place that nix names in the user's file, else in any other; our own expression has none.</summary>
    /// <param name="text">What stands there, as nix printed it; empty where it did not.</param>
    private static SourcePosition Place(NixSource source, string plain, out string text)
    {
        // Newer nix prints its trace from the outside in, and begins with the word alone.
        var lines = plain.Split('\n');
        var outsideIn = plain.TrimStart().StartsWith("error:\n", StringComparison.Ordinal);
        SourcePosition? first = null, module = null;
        var firstText = text = "";
        for (var n = 0; n < lines.Length; n++)
        {
            var i = outsideIn ? lines.Length - 1 - n : n;
            if (lines[i].IndexOf(Inside, StringComparison.Ordinal) is >= 0 and var inside)
            {
                module ??= Location(source, lines[i][(inside + Inside.Length)..]);
                continue;
            }
            if (InLine(source, lines[i]) is not { } at)
            {
                continue;
            }
            var shown = Excerpt(lines, i, at.Line);
            if (at.File == source.Name || (source.IsFlake && at.File.StartsWith(source.Name, StringComparison.Ordinal)))
            {
                text = shown;
                return at;
            }
            // In nixpkgs itself stands nothing that its user could mend.
            if (first is null && !NixEnvironment.IsInNixPath(at.File))
            {
                (first, firstText) = (at, shown);
            }
        }
        text = firstText;
        // Where nix's trace is empty, as after a stack overflow, what is left is the one file that was read.
        return first ?? module ?? (source.IsFlake ? new(source.Name, 0, 0) : new(source.Name, 1, 1));
    }

    private static string Excerpt(string[] lines, int from, int number)
    {
        var start = $"{number.ToString(CultureInfo.InvariantCulture)}|";
        return lines.Skip(from + 1).Take(6).Select(l => l.TrimStart()).FirstOrDefault(l => l.StartsWith(start, StringComparison.Ordinal))?[start.Length..] ?? "";
    }

    /// <summary>A place in a line of nix's: <c>at /FILE:3:5:</c>, or a sentence that ends in one.</summary>
    private static SourcePosition? InLine(NixSource source, string line)
    {
        if (line.Length > 16 * 1024)
        {
            return null;
        }
        var trimmed = line.TrimStart();
        var from = trimmed.StartsWith("at /", StringComparison.Ordinal) ? 3
            : trimmed.IndexOf(", in /", StringComparison.Ordinal) is >= 0 and var comma ? comma + 5
            : trimmed.IndexOf("at /", StringComparison.Ordinal) is >= 0 and var later ? later + 3
            : trimmed.IndexOf("(/", StringComparison.Ordinal) is >= 0 and var bracket ? bracket + 1 : -1;
        return from < 0 ? null : Location(source, trimmed[from..].TrimEnd(':', ')'));
    }

    /// <summary>FILE:LINE:COLUMN; what comes after the column does not count.</summary>
    private static SourcePosition? Location(NixSource source, string text)
    {
        // From the left: a file's name may hold colons, yet none that numbers follow.
        for (var colon = text.IndexOf(':'); colon > 0; colon = text.IndexOf(':', colon + 1))
        {
            var line = Number(text, colon + 1, out var next);
            if (line is { } l && next < text.Length && text[next] == ':' && Number(text, next + 1, out _) is { } c)
            {
                return new(source.Shown(text[..colon]), l, c);
            }
        }
        return null;
    }

    private static int? Number(string text, int from, out int next)
    {
        next = from;
        while (next < text.Length && next - from < 9 && char.IsAsciiDigit(text[next]))
        {
            next++;
        }
        return next > from ? int.Parse(text.AsSpan(from, next - from), NumberStyles.None, CultureInfo.InvariantCulture) : null;
    }

    /// <summary>The folder of a flake by the name that the user gave it.</summary>
    private static string Shown(NixSource source, string text) => source.IsFlake ? text.Replace(source.FullPath, source.Name, StringComparison.Ordinal) : text;

    /// <summary>What to do about it, in words that follow nix's own.</summary>
    private static string Hint(string message, string line) => message switch
    {
        _ when message.Contains("file 'nixpkgs' was not found", StringComparison.Ordinal) => "; set NIX_PATH=nixpkgs=/path/to/nixpkgs, or do without",
        _ when message.Contains("out of memory", StringComparison.Ordinal) => "; the evaluation of a file may take 1.5 GiB, that of a flake 8 GiB",
        _ when message.Contains("stack overflow", StringComparison.Ordinal) => "; is there an endless recursion in the declaration?",
        _ when message.StartsWith("undefined variable '", StringComparison.Ordinal) => UndefinedHint(message),
        _ when message.StartsWith("syntax error", StringComparison.Ordinal) && !message.Contains("invalid token", StringComparison.Ordinal) && SyntaxHint(message) is { } hint => hint,
        _ when message.Contains("already defined at", StringComparison.Ordinal) => "; a set has each name once: write both into one value, a list with the entries of both",
        _ when message.Contains("cannot coerce", StringComparison.Ordinal) && message.Contains("to a string", StringComparison.Ordinal) =>
            "; only text joins with text: write ${toString X} for a number",
        _ when message.Contains("which is not a function", StringComparison.Ordinal) || message.Contains("attempt to call something", StringComparison.Ordinal) =>
            "; is a ';' or an operator missing before this, or are brackets, as in (f x), within a list?",
        _ when message.Contains("unexpected invalid token", StringComparison.Ordinal) => "; the nix at hand does not know this syntax: is it a newer nix's ('|>' needs its pipe-operators)?",
        _ when message.Contains("No such file or directory", StringComparison.Ordinal) =>
            "; the declaration names this file, and it isn't there: was it kept out of the repository, or is it made by something that has to run first?",
        _ when message.Contains("infinite recursion", StringComparison.Ordinal) =>
            "; a value is made from itself: see what stands here, what 'imports' asks for (it can't depend on 'config'), and what is asked of 'config' that no module here declares, only others of its author's (check the flake that has them all, DIR#NAME)",
        _ when message.StartsWith("attribute '", StringComparison.Ordinal) && message.Contains("missing", StringComparison.Ordinal) => MissingHint(message, line),
        _ when message.Contains("was accessed but has no value defined", StringComparison.Ordinal) || message.Contains("is used but not defined", StringComparison.Ordinal) =>
            "; a module that imports this one sets it: check that one, or set it beside it in a file of your own",
        _ when message.Contains("called with unexpected argument", StringComparison.Ordinal) => "; a module's function ends its arguments in '...': { lib, ... }: { … }",
        _ when message.Contains("called without required argument", StringComparison.Ordinal) => "; give it where it is called, or with --arg NAME EXPR",
        _ when message.Contains("Permission denied", StringComparison.Ordinal) => "; a declaration is read with the rights of who calls, or of nobody where root itself calls",
        _ when message.Contains("unsupported version", StringComparison.Ordinal) || message.Contains("lock file", StringComparison.Ordinal) => "; the lock file is newer than this nix: update nix",
        _ => "",
    };

    private static string MissingHint(string message, string line)
    {
        if (line.Contains("pkgs.", StringComparison.Ordinal))
        {
            return "; the stand-in for nixpkgs has few packages: set NIX_PATH=nixpkgs=/path/to/nixpkgs, or check the flake that has it, DIR#NAME";
        }
        if (line.Contains("lib.", StringComparison.Ordinal) && !line.Contains("config.", StringComparison.Ordinal))
        {
            return "; neither the stand-in nor nixpkgs' lib has it, or only a newer one: set NIX_PATH=nixpkgs=/path/to/nixpkgs; where a flake adds it to lib, check that flake: DIR#NAME";
        }
        return line.Contains("config", StringComparison.Ordinal) || line.Contains("cfg", StringComparison.Ordinal)
            ? "; no module here defines it, and where it is NixOS's own value, it is not here: set it in the declaration, or check the flake whose NixOS has it (NIX_PATH=nixpkgs=/path/to/nixpkgs gives lib and pkgs, no configuration)"
            : "; the set that it is looked up in has no such name: is it misspelt? Where the set is an argument that the module's author gives otherwise, give it with --arg NAME EXPR, or check the flake that gives it, DIR#NAME";
    }

    /// <summary>What a module of ours or of NixOS is given once it asks.</summary>
    private static readonly string[] s_arguments = ["lib", "pkgs", "config", "options", "inputs", "self", "modulesPath"];

    private static string UndefinedHint(string message)
    {
        var name = message.Split('\'')[1];
        return Array.IndexOf(s_arguments, name) >= 0
            ? $"; ask for it where the file begins: {{ {name}, ... }}:"
            : $"; nothing here defines it: is it misspelt, or does 'let {name} = …; in', 'inherit', or an argument of the module have to give it?";
    }

    private static string? SyntaxHint(string message) => message switch
    {
        _ when message.Contains("unexpected ','", StringComparison.Ordinal) => "; blanks alone stand between the entries of a list, and a ';' ends each line of a set: commas stand between the arguments of a function",
        _ when message.Contains("unexpected ':'", StringComparison.Ordinal) && !message.Contains("expecting ';'", StringComparison.Ordinal) => "; in a set a name has '=' after it: name = value;",
        _ when message.Contains("expecting ';'", StringComparison.Ordinal) => "; each definition of a set ends in ';': is it missing at the end of the one before this, or is a '\"' missing?",
        _ when message.Contains("unexpected end of file", StringComparison.Ordinal) => "; something that was opened is never closed ('{', '[', '(', '\"' or \"''\"), or the file is empty",
        _ when message.Contains("unexpected ']'", StringComparison.Ordinal) || message.Contains("unexpected '}'", StringComparison.Ordinal) || message.Contains("unexpected ')'", StringComparison.Ordinal) =>
            "; what was opened last has to be closed first: is a '}', ']', ')' or the ';' of a definition missing before this?",
        _ => null,
    };

    private static string WithoutColour(string text)
    {
        if (!text.Contains('\e'))
        {
            return text;
        }
        var kept = new System.Text.StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '\e' && i + 1 < text.Length && text[i + 1] == '[')
            {
                var end = i + 2;
                while (end < text.Length && (char.IsAsciiDigit(text[end]) || text[end] == ';'))
                {
                    end++;
                }
                if (end < text.Length && text[end] == 'm')
                {
                    i = end;
                    continue;
                }
            }
            _ = kept.Append(text[i]);
        }
        return kept.ToString();
    }
}
