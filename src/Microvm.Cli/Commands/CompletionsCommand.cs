using System.CommandLine;
using Microvm.Cli.Completion;
using Microvm.Host;
using Microvm.Linux;
using Microvm.Network;

namespace Microvm.Cli.Commands;

internal static class CompletionsCommand
{
    private static readonly string[] s_shells = ["bash", "zsh", "fish"];
    private static readonly string[] s_lists = ["vms", "links", "namespaces", "users", "groups"];

    private static readonly Argument<string> s_what = Choice();

    internal static Command Create() => Verb.Define(new DocumentedCommand("completions", "Print the completion script for a shell, generated from the commands",
        ["source <(microvm completions bash)", "source <(microvm completions zsh)", "microvm completions fish | source",
            "microvm completions bash | sudo tee /etc/bash_completion.d/microvm", "microvm completions links"])
    { Details = ["The scripts ask 'microvm completions' for names that depend on this host: vms and links are those that microvm created in this network namespace; namespaces, users and groups are those of the host. You can print these lists yourself, too, one name a line."] },
        Run, s_what);

    private static Argument<string> Choice()
    {
        var argument = new Argument<string>("SHELL") { Description = "bash, zsh or fish; or a list: vms, links, namespaces, users, groups" };
        argument.AcceptOnlyFromAmong([.. s_shells, .. s_lists]);
        return argument;
    }

    private static int Run(ParseResult result)
    {
        switch (result.GetValue(s_what))
        {
            case "bash": Console.Out.Write(BashCompletion.Render(Tree())); break;
            case "zsh": Console.Out.Write(ZshCompletion.Render(Tree())); break;
            case "fish": Console.Out.Write(FishCompletion.Render(Tree())); break;
            case "vms": Print([.. Owners().Select(o => o.Split('/')[0]), .. new StateDirectory(VmHost.DefaultState).All().Select(v => v.Name.Value)]); break;
            case "links": Print(Owners()); break;
            case "namespaces": Print(Directory.Exists("/run/netns") ? Directory.GetFiles("/run/netns").Select(n => Path.GetFileName(n)) : []); break;
            case "users": Print(Names(AccountFile.Users)); break;
            default: Print(Names(AccountFile.Groups)); break;
        }
        return 0;
    }

    private static IReadOnlyList<CompletedCommand> Tree() => CompletedCommand.Tree(CommandLine.Whole());

    private static IEnumerable<string> Owners()
    {
        using var route = new RouteSocket();
        return [.. route.Links().Where(l => Ownership.Vm(l.Alias) is not null).Select(l => l.Alias!["microvm:".Length..])];
    }

    private static IEnumerable<string> Names(string file) => AccountFile.Entries(file).Select(f => f[0]).Where(n => n.Length > 0);

    // A name with a line break or an escape in it is nothing that anybody wants completed.
    private static void Print(IEnumerable<string> names)
    {
        foreach (var name in names.Where(n => !n.Any(char.IsControl)).Distinct().Order(StringComparer.Ordinal))
        {
            Console.WriteLine(name);
        }
    }
}
