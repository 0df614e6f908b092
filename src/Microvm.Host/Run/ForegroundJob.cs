using System.Globalization;
using System.Runtime.InteropServices;
using Microvm.Linux;

namespace Microvm.Host.Run;

/// <summary>A hypervisor that kills its process group at its end, where that group is also a script's, sudo's or that of a pipeline in the foreground
/// of a terminal: it gets a group of its own, and the terminal. Its keys go on, and this process waits to take the terminal back.</summary>
internal static class ForegroundJob
{
    /// <summary>The command that becomes the hypervisor.</summary>
    internal const string Command = "foreground-job";

    /// <summary>Whether this process has the terminal together with others.</summary>
    internal static bool IsShared => TerminalDevice.IsUsable(TerminalDevice.Input) && PosixProcess.IsGroupShared();

    /// <summary>Starts a program as the foreground job, waits for its end, and takes the terminal back.</summary>
    /// <param name="words">The program first.</param>
    /// <param name="descriptors">Descriptors to hand over: the first becomes fd 3, the next fd 4, and so on.</param>
    /// <returns>The program's exit code.</returns>
    /// <exception cref="LinuxException">A descriptor can't be handed over.</exception>
    internal static int Run(IReadOnlyList<string> words, IReadOnlyList<int> descriptors)
    {
        using var settings = TerminalDevice.Remember(TerminalDevice.Input);
        var handed = descriptors.Select(PosixProcess.Hand).ToList();
        using var job = SearchPath.Start(new(Environment.ProcessPath!,
            [Command, UserNetwork.Text(Environment.ProcessId), string.Join(',', handed.Select(UserNetwork.Text)), "--", .. words]));
        // A link must not stay open here when the hypervisor has closed it.
        handed.ForEach(PosixProcess.Close);
        var signals = ((PosixSignal[])[PosixSignal.SIGTERM, PosixSignal.SIGINT, PosixSignal.SIGHUP, PosixSignal.SIGQUIT]).Select(s => PosixSignalRegistration.Create(s, context =>
        {
            context.Cancel = true;
            PosixProcess.Terminate(job.Id);
        })).ToList();
        job.WaitForExit();
        TerminalDevice.BringToForeground(TerminalDevice.Input);
        signals.ForEach(s => s.Dispose());
        return job.ExitCode;
    }

    /// <summary>Takes a group and the terminal, and becomes the program; ends with the one that waits.</summary>
    /// <exception cref="LinuxException">It can't be started.</exception>
    internal static void Become(int parent, string descriptors, IReadOnlyList<string> words)
    {
        PosixProcess.LeadGroup();
        TerminalDevice.BringToForeground(TerminalDevice.Input);
        PosixProcess.EndWith(parent);
        PosixProcess.Exec(words, null, [.. descriptors.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(d => int.Parse(d, CultureInfo.InvariantCulture))]);
    }
}
