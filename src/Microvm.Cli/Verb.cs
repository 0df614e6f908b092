using System.CommandLine;
using System.ComponentModel;
using Microvm.Declaration;
using Microvm.Host.Control;
using Microvm.Linux;

namespace Microvm.Cli;

/// <summary>Defines a command, and turns what goes wrong inside it into a message and an exit code.</summary>
internal static class Verb
{
    /// <summary>The exit code of <c>--exit-code</c> where the host is not as declared.</summary>
    internal const int DriftCode = 3;

    /// <summary>The exit code where the links were changed, and what was done could not be printed.</summary>
    internal const int UnreportedCode = 4;

    /// <summary>Prints what was done. A full disk behind standard output must not read as "failed, nothing is changed".</summary>
    internal static int Report(bool changed, Func<int> print)
    {
        try
        {
            var code = print();
            Console.Out.Flush();
            return code;
        }
        catch (IOException e) when (changed)
        {
            Console.Error.WriteLine($"microvm: everything was done, but it could not be printed: {Printable.Lines(e.Message)}");
            return UnreportedCode;
        }
    }

    /// <summary>A command with examples in its help. The action's result is the exit code.</summary>
    internal static Command Define(string name, string description, string[] examples, Func<ParseResult, int> action, params Symbol[] symbols) =>
        Define(new DocumentedCommand(name, description, examples), action, symbols);

    /// <summary>As the other, for a command that has more to say in its help.</summary>
    internal static Command Define(DocumentedCommand command, Func<ParseResult, int> action, params Symbol[] symbols)
    {
        foreach (var symbol in symbols)
        {
            switch (symbol)
            {
                case Argument argument: command.Add(argument); break;
                case Option option: command.Add(option); break;
            }
        }
        // Whoever reads declarations may be told how.
        if (symbols.Any(s => s is Argument { Name: "FILE" } or Option { Name: "--file" }))
        {
            command.Add(CommonOptions.Online);
            command.Add(CommonOptions.Arg);
            command.Add(CommonOptions.ArgText);
        }
        command.SetAction(result =>
        {
            Terminal.Choose(result.GetValue(CommonOptions.Color));
            return Guard(() =>
            {
                LentStore.Prepare(result);
                Privilege.Enter(result);
                Declarations.Evaluation = CommonOptions.NixOptionsOf(result);
                return command.Options.Contains(VmHost.State) ? OnHost(() => action(result)) : action(result);
            });
        });
        return command;
    }

    /// <summary>What a host's VMs are is root's: who may not change it is told how to.</summary>
    private static int OnHost(Func<int> action)
    {
        try
        {
            return action();
        }
        catch (UnauthorizedAccessException e) when (PosixProcess.EffectiveUser != 0)
        {
            throw new IOException($"{e.Message.TrimEnd('.')} to user {PosixProcess.EffectiveUser}; run it with sudo: sudo microvm {string.Join(' ', Environment.GetCommandLineArgs()[1..].Select(Shell.Quote))}", e);
        }
    }

    /// <summary>Runs what prints or works; what goes wrong becomes a message and an exit code.</summary>
    internal static int Guard(Func<int> action)
    {
        try
        {
            return action();
        }
        catch (Exception e)
        {
            // Of .NET's own parts that set themselves up when first used, the reason stands inside.
            return Told(e is TypeInitializationException { InnerException: { } reason } ? reason : e);
        }
    }

    private static int Told(Exception e)
    {
        var hint = e is LinuxException { Errno: Errno.EPERM or Errno.EACCES } ? Privilege.Hint() : "";
        // What is left is a mistake of ours. Words for a report, not a stack trace for a person.
        var known = e is LinuxException or UsageException or ControlException or ArgumentException or IOException or UnauthorizedAccessException or OperationCanceledException or Win32Exception;
        Console.Error.WriteLine($"microvm: {(known ? Printable.Lines(Words(e)) + hint : $"internal error: {e.GetType().Name}: {Printable.Lines(e.Message)}")}");
        return e is UsageException or ArgumentException ? 2 : 1;
    }

    /// <summary>What went wrong, where .NET's own words would not tell.</summary>
    internal static string Words(Exception e) => e is FileNotFoundException { FileName: null }
        ? "the current directory was deleted; change into one that is there (cd)" : e.Message;
}

/// <summary>The command line asks for something that is not there: exit code 2.</summary>
internal sealed class UsageException(string message) : Exception(message);
