using System.CommandLine;
using Microvm.Cli.Commands;
using Microvm.Cli.Reference;
using Microvm.Host.GuestConsole;

namespace Microvm.Cli;

/// <summary>All commands by name. Exit codes: 0 done, 1 failed, 2 wrong usage or declaration.</summary>
internal static class CommandLine
{
    /// <summary>What goes wrong while help is shown is ours to tell, too.</summary>
    private static readonly InvocationConfiguration s_guarded = new() { EnableDefaultExceptionHandler = false };

    /// <summary>In the order of the help text. A command's options are built only when it, or the help, is asked for.</summary>
    private static readonly (string Name, Func<Command> Create)[] s_commands =
    [
        ("check", CheckCommand.Create),
        ("plan", PlanCommand.Create),
        ("up", UpCommand.Create),
        ("down", DownCommand.Create),
        ("status", StatusCommand.Create),
        ("top", TopCommand.Create),
        ("topology", TopologyCommand.Create),
        ("metrics", MetricsCommand.Create),
        ("capture", CaptureCommand.Create),
        ("command", CommandCommand.Create),
        ("watch", WatchCommand.Create),
        ("run", RunCommand.Create),
        ("virtiofsd", VirtiofsdCommand.Create),
        ("build", BuildCommand.Create),
        ("shutdown", ShutdownCommand.Create),
        ("balloon", BalloonCommand.Create),
        ("init", InitCommand.Create),
        ("explain", ExplainCommand.Create),
        ("doctor", DoctorCommand.Create),
        ("create", CreateCommand.Create),
        ("update", UpdateCommand.Create),
        ("start", StartCommand.Create),
        ("stop", StopCommand.Create),
        ("restart", RestartCommand.Create),
        ("list", ListCommand.Create),
        ("console", ConsoleCommand.Create),
        ("logs", LogsCommand.Create),
        ("ssh", SshCommand.Create),
        ("rename", RenameCommand.Create),
        ("remove", RemoveCommand.Create),
        ("fleet", FleetCommand.Create),
        ("host", HostCommand.Create),
        ("network", NetworkCommand.Create),
        ("ip", IpCommand.Create),
        ("reach", ReachCommand.Create),
        ("mac", MacCommand.Create),
        ("schema", SchemaCommand.Create),
        ("completions", CompletionsCommand.Create),
        ("man", ManCommand.Create),
        (UserNetworkCommand.Name, UserNetworkCommand.Create),
        (ConsoleJob.Command, ConsoleJobCommand.Create),
        (SshConnectCommand.Name, SshConnectCommand.Create),
    ];

    /// <summary>What the root's help shows first.</summary>
    internal static IReadOnlyList<string> Examples { get; } =
        ["microvm init", "microvm check vm.nix", "microvm plan vm.nix", "sudo microvm up vm.nix", "microvm run vm.nix", "sudo microvm down vm.nix"];

    /// <summary>The root with every command, for help, completions and man pages.</summary>
    internal static Command Whole() => Root(s_commands);

    internal static int Run(string[] args)
    {
        // The streams first: a thread that opens something must not be given the number of one that was closed.
        Terminal.Open();
        if (args.Length > 0 && args[0] == LentStore.Name)
        {
            return LentStore.Keep(args);
        }
        if (args.Length > 0 && args[0] == NixGuard.Name)
        {
            return NixGuard.Become(args);
        }
        args = SshCommand.SetApart(CommonOptions.JoinArguments(Plain(args)));
        Privilege.Begin(args);
        try
        {
            return Answer(args);
        }
        finally
        {
            Privilege.End();
        }
    }

    /// <summary>The words that people try first: <c>help [COMMAND]</c> is <c>[COMMAND] --help</c>, and <c>version</c> is <c>--version</c>.</summary>
    private static string[] Plain(string[] args) => args switch
    {
        // Of a command that is not there the error tells, not the help of all.
        ["help", var name, ..] when s_commands.All(c => c.Name != name) => [name],
        ["help", .. var command] => [.. command, "--help"],
        ["version"] => ["--version"],
        _ => args,
    };

    private static int Answer(string[] args)
    {
        var named = args.Length > 0 ? s_commands.Where(c => c.Name == args[0]).ToArray() : [];
        var parsed = (named.Length == 1 ? Root(named) : Whole()).Parse(args);
        if (args.Length == 0)
        {
            _ = Whole().Parse(["--help"]).Invoke();
            return 2;
        }
        var errors = UsageErrors.Of(parsed);
        if (errors.Count > 0)
        {
            foreach (var error in errors)
            {
                Console.Error.WriteLine($"microvm: {error}");
            }
            var command = parsed.CommandResult.Parent is null ? "" : $"{parsed.CommandResult.Command.Name} ";
            Console.Error.WriteLine($"Try 'microvm {command}--help'.");
            return 2;
        }
        return Verb.Guard(() => parsed.Invoke(s_guarded));
    }

    // Not the library's RootCommand: its constructor looks up resources and the assembly's attributes, half a millisecond of each start.
    private static Command Root((string Name, Func<Command> Create)[] commands)
    {
        var root = new Command("microvm", "Check, create, watch and delete the network interfaces of MicroVMs, and run the VMs.")
        {
            new Option<bool>("--help", "-h", "-?") { Description = "Show this help", Recursive = true, Action = new HelpScreen() },
            new Option<bool>("--version") { Description = "Show the version", Action = new VersionLine() },
            CommonOptions.Color,
        };
        foreach (var (_, create) in commands)
        {
            root.Add(create());
        }
        return root;
    }
}
