using System.CommandLine;
using Microvm.Cli.Reference;
using Microvm.Linux;

namespace Microvm.Cli.Commands;

internal static class ManCommand
{
    private static readonly Option<string?> s_output = new("--output", "-o") { Description = "Write a page for each command into this directory, which is created if it doesn't exist", HelpName = "DIR" };
    private static readonly Option<bool> s_markdown = new("--markdown") { Description = "Print the reference of all commands as one Markdown document instead" };

    internal static Command Create() => Verb.Define(new DocumentedCommand("man", "Write the man pages, generated from the commands",
        ["microvm man | man -l -", "microvm man -o /usr/local/share/man/man1", "microvm man --markdown"])
    { Details = ["Without -o, the page microvm(1) is written to standard output."] }, Run, s_output, s_markdown);

    private static int Run(ParseResult result)
    {
        var pages = CommandPage.Paths(CommandLine.Whole()).Select(CommandPage.Of).ToList();
        var output = result.GetValue(s_output);
        if (result.GetValue(s_markdown))
        {
            Console.Out.Write(MarkdownReference.Render(pages));
        }
        else if (output is null)
        {
            Console.Out.Write(Page(pages[0], pages));
        }
        else
        {
            using var person = NamedFile.AsPerson();
            using var folder = HeldFolder.OpenOrMake(Path.GetFullPath(output));
            foreach (var page in pages)
            {
                folder.Put(ManPage.FileName(page), System.Text.Encoding.UTF8.GetBytes(Page(page, pages)), umask: true);
            }
            Console.WriteLine($"{pages.Count} pages in {output}");
        }
        return 0;
    }

    private static string Page(CommandPage page, IReadOnlyList<CommandPage> all)
    {
        var others = all.Where(p => p != page && (page == all[0] || p == all[0] || p.Name.StartsWith(page.Name + " ", StringComparison.Ordinal)));
        return ManPage.Render(page, VersionLine.Version, [.. others.Select(p => p.Name.Replace(' ', '-'))]);
    }
}
