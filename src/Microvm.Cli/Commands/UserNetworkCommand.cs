using System.CommandLine;
using Microvm.Host.Run;

namespace Microvm.Cli.Commands;

/// <summary>Not for people: the companion of <c>microvm run</c> that becomes slirp4netns.</summary>
internal static class UserNetworkCommand
{
    internal const string Name = "user-network";
    private static readonly Argument<int> s_pid = new("PID");
    private static readonly Argument<int> s_read = new("READ");
    private static readonly Argument<int> s_write = new("WRITE");
    private static readonly Argument<string> s_folder = new("FOLDER");

    internal static Command Create()
    {
        var command = Verb.Define(Name, "The companion of 'run' that becomes slirp4netns", [], Run, s_pid, s_read, s_write, s_folder);
        command.Hidden = true;
        return command;
    }

    private static int Run(ParseResult result)
    {
        UserNetwork.Companion(result.GetValue(s_pid), result.GetValue(s_read), result.GetValue(s_write), result.GetValue(s_folder)!);
        return 1;
    }
}
