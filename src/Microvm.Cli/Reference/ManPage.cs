using System.Text;

namespace Microvm.Cli.Reference;

/// <summary>A command's page as roff with the man macros (man(7)).</summary>
internal static class ManPage
{
    /// <summary>The file's name: microvm-up.1.</summary>
    internal static string FileName(CommandPage page) => page.Name.Replace(' ', '-') + ".1";

    /// <param name="seeAlso">Names of other pages in section 1.</param>
    internal static string Render(CommandPage page, string version, IReadOnlyList<string> seeAlso)
    {
        var roff = new StringBuilder();
        var name = page.Name.Replace(' ', '-');
        roff.Append($".TH {Escape(name.ToUpperInvariant())} 1 \"\" \"microvm {Escape(version)}\" \"User Commands\"\n");
        roff.Append($".SH NAME\n{Escape(name)} \\- {Text(page.Summary)}\n");
        roff.Append($".SH SYNOPSIS\n.B {Escape(page.Name)}\n{Text(page.Usage[page.Name.Length..].TrimStart())}\n");
        roff.Append(".SH DESCRIPTION\n").Append(Text(page.Summary.TrimEnd('.') + ".")).Append('\n');
        foreach (var paragraph in page.Details)
        {
            roff.Append(".PP\n").Append(Text(paragraph)).Append('\n');
        }
        if (page.Groups.Count > 0)
        {
            roff.Append(".SH COMMANDS\n");
            foreach (var group in page.Groups)
            {
                roff.Append($".SS {Text(group.Title)}\n");
                Terms(group.Commands);
            }
        }
        if (page.Arguments.Count > 0)
        {
            roff.Append(".SH ARGUMENTS\n");
            Terms(page.Arguments);
        }
        roff.Append(".SH OPTIONS\n");
        Terms(page.Options);
        roff.Append(".SH \"EXIT STATUS\"\n");
        Terms([.. page.ExitCodes.Select(c => new Term(c.Code, c.Meaning))]);
        if (page.Examples.Count > 0)
        {
            roff.Append(".SH EXAMPLES\n.nf\n");
            page.Examples.ToList().ForEach(e => roff.Append(Text(e)).Append('\n'));
            roff.Append(".fi\n");
        }
        if (seeAlso.Count > 0)
        {
            roff.Append(".SH \"SEE ALSO\"\n").AppendJoin(",\n", seeAlso.Select(s => $"\\fB{Escape(s)}\\fR(1)")).Append('\n');
        }
        return roff.ToString();

        void Terms(IReadOnlyList<Term> terms)
        {
            foreach (var term in terms)
            {
                roff.Append($".TP\n\\fB{Escape(term.Name)}\\fR\n{Text(term.Meaning)}\n");
            }
        }
    }

    /// <summary>Text that roff shows as it is: no line of it is a request.</summary>
    private static string Text(string text) =>
        string.Join('\n', Escape(text).Split('\n').Select(l => l.Length > 0 && l[0] is '.' or '\'' ? "\\&" + l : l));

    // groff_char(7): the hyphen-minus, the quotes and the caret of ASCII would else be set as typographic ones.
    private static string Escape(string text)
    {
        var result = new StringBuilder();
        foreach (var c in text)
        {
            result.Append(c switch
            {
                '\\' => "\\(rs",
                '-' => "\\-",
                '\'' => "\\(aq",
                '`' => "\\(ga",
                '^' => "\\(ha",
                '~' => "\\(ti",
                '"' => "\\(dq",
                '\n' => "\n",
                < ' ' => "",
                > '~' => $"\\[u{(int)c:X4}]",
                _ => c.ToString(),
            });
        }
        return result.ToString();
    }
}
