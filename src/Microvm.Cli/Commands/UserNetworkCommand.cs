using System.CommandLine;
using Microvm.Host.Run;
using Microvm.Linux;

namespace Microvm.Cli.Commands;

/// <summary>Not for people: the companion of <c>microvm run</c> that starts slirp4netns and stays beside the VM.</summary>
internal static class UserNetworkCommand
{
    internal const string Name = "user-network";
    private static readonly Argument<int> s_pid = new("PID");
    private static readonly Argument<int> s_life = new("LIFE"), s_lifeOfVm = new("LIFE-OF-VM"), s_told = new("TOLD"), s_tell = new("TELL");
    private static readonly Argument<string> s_name = new("NAME");
    private static readonly Argument<string[]> s_forwards = new("FORWARD") { Arity = ArgumentArity.ZeroOrMore };

    internal static Command Create()
    {
        var command = Verb.Define(Name, "The companion of 'run' beside a VM whose network is slirp4netns", [], Run, s_pid, s_life, s_lifeOfVm, s_told, s_tell, s_name, s_forwards);
        command.Hidden = true;
        return command;
    }

    private static int Run(ParseResult result)
    {
        // The other side's ends of the two pipes.
        PosixProcess.Close(result.GetValue(s_lifeOfVm));
        PosixProcess.Close(result.GetValue(s_told));
        return new UserNetworkCompanion(result.GetValue(s_pid), result.GetValue(s_life), result.GetValue(s_tell)).Run(result.GetValue(s_name)!, result.GetValue(s_forwards)!);
    }
}
