using System.CommandLine;
using Microvm.Cli.Commands;
using Microvm.Declaration;

namespace Microvm.Cli;

/// <summary>All commands by name. Exit codes: 0 done, 1 failed, 2 wrong usage or declaration.</summary>
internal static class CommandLine
{
    /// <summary>In the order of the help text. A command's options are built only when it, or the help, is asked for.</summary>
    private static readonly (string Name, Func<Command> Create)[] s_commands =
    [
        ("check", CheckCommand.Create),
        ("plan", PlanCommand.Create),
        ("up", UpCommand.Create),
        ("down", DownCommand.Create),
        ("status", StatusCommand.Create),
        ("top", TopCommand.Create),
        ("capture", CaptureCommand.Create),
        ("command", CommandCommand.Create),
        ("watch", WatchCommand.Create),
        ("run", RunCommand.Create),
    ];

    /// <summary>The root with every command, for help, completions and man pages.</summary>
    internal static RootCommand Whole() => Root(s_commands);

    internal static int Run(string[] args)
    {
        Terminal.Open();
        var named = args.Length > 0 ? s_commands.Where(c => c.Name == args[0]).ToArray() : [];
        var parsed = (named.Length == 1 ? Root(named) : Whole()).Parse(args);
        if (parsed.Errors.Count > 0)
        {
            foreach (var error in parsed.Errors)
            {
                Console.Error.WriteLine($"microvm: {Printable.Of(error.Message)}");
            }
            Console.Error.WriteLine("Try 'microvm --help'.");
            return 2;
        }
        return parsed.Invoke();
    }

    private static RootCommand Root((string Name, Func<Command> Create)[] commands)
    {
        var root = new RootCommand("The network interfaces of MicroVMs: declared, checked, made and taken down.\n\nExamples:\n  microvm check vm.nix\n  microvm plan vm.nix\n  sudo microvm up vm.nix\n  sudo microvm down vm.nix");
        root.Add(CommonOptions.Color);
        foreach (var (_, create) in commands)
        {
            root.Add(create());
        }
        return root;
    }
}
