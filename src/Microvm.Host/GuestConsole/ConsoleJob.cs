using System.Diagnostics;
using System.Globalization;
using Microvm.Host.Run;
using Microvm.Linux;

namespace Microvm.Host.GuestConsole;

/// <summary>A program whose standard input and output are a pseudo-terminal: a hypervisor, or the script that becomes one. It leads a session
/// of its own, since crosvm kills its process group at its end, and other programs may be in ours.</summary>
internal static class ConsoleJob
{
    /// <summary>The command that becomes the program.</summary>
    internal const string Command = "console-job";

    /// <summary>Starts a program; the caller reads and writes the other end of its terminal.</summary>
    /// <param name="terminal">The program's end.</param>
    /// <param name="words">The program first.</param>
    /// <param name="descriptors">Descriptors to hand over: the first becomes fd 3, the next fd 4, and so on.</param>
    /// <param name="name">What the process calls itself; null for the program's own name.</param>
    /// <exception cref="LinuxException">A descriptor can't be handed over.</exception>
    internal static Process Start(FileDescriptor terminal, IReadOnlyList<string> words, IReadOnlyList<int> descriptors, string? name)
    {
        List<int> handed = [PosixProcess.Hand(terminal.Value), .. descriptors.Select(PosixProcess.Hand)];
        try
        {
            return SearchPath.Start(new(Environment.ProcessPath!, [Command, UserNetwork.Text(Environment.ProcessId), string.Join(',', handed.Select(UserNetwork.Text)), name ?? "", "--", .. words]));
        }
        finally
        {
            handed.ForEach(PosixProcess.Close);
        }
    }

    /// <summary>Takes the terminal and becomes the program; ends with the process that has the other end.</summary>
    /// <param name="parent">That process.</param>
    /// <param name="descriptors">The terminal, and then what is handed over.</param>
    /// <exception cref="LinuxException">It can't be started.</exception>
    internal static void Become(int parent, string descriptors, string name, IReadOnlyList<string> words)
    {
        int[] all = [.. descriptors.Split(',').Select(d => int.Parse(d, CultureInfo.InvariantCulture))];
        PosixProcess.LeadSession();
        TerminalDevice.Put(all[0], TerminalDevice.Input);
        TerminalDevice.Put(all[0], TerminalDevice.Output);
        PosixProcess.EndWith(parent);
        Array.ForEach(all, PosixProcess.CloseOnExec);
        PosixProcess.Exec(words, name.Length == 0 ? null : name, all[1..]);
    }
}
