using System.CommandLine;
using Microvm.Host.Run;

namespace Microvm.Cli.Commands;

/// <summary>Not for people: the step of <c>microvm run</c> that becomes a hypervisor in a process group of its own.</summary>
internal static class ForegroundJobCommand
{
    private static readonly Argument<int> s_parent = new("PARENT");
    private static readonly Argument<string> s_descriptors = new("DESCRIPTORS");
    private static readonly Argument<string[]> s_words = new("WORD") { Arity = ArgumentArity.OneOrMore };

    internal static Command Create()
    {
        var command = Verb.Define(ForegroundJob.Command, "The hypervisor of 'run' as the foreground job of a terminal", [], Run, s_parent, s_descriptors, s_words);
        command.Hidden = true;
        return command;
    }

    private static int Run(ParseResult result)
    {
        ForegroundJob.Become(result.GetValue(s_parent), result.GetValue(s_descriptors)!, result.GetValue(s_words)!);
        return 1;
    }
}
