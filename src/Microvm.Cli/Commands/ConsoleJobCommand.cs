using System.CommandLine;
using Microvm.Host.GuestConsole;

namespace Microvm.Cli.Commands;

/// <summary>Not for people: the step that becomes a hypervisor at a pseudo-terminal.</summary>
internal static class ConsoleJobCommand
{
    private static readonly Argument<int> s_parent = new("PARENT");
    private static readonly Argument<string> s_descriptors = new("DESCRIPTORS");
    private static readonly Argument<string> s_name = new("NAME");
    private static readonly Argument<string[]> s_words = new("WORD") { Arity = ArgumentArity.OneOrMore };

    internal static Command Create()
    {
        var command = Verb.Define(ConsoleJob.Command, "A hypervisor at the terminal of 'run' or of a unit", [], Run, s_parent, s_descriptors, s_name, s_words);
        command.Hidden = true;
        return command;
    }

    private static int Run(ParseResult result)
    {
        ConsoleJob.Become(result.GetValue(s_parent), result.GetValue(s_descriptors)!, result.GetValue(s_name)!, result.GetValue(s_words)!);
        return 1;
    }
}
