using System.Net.Sockets;
using Microvm.Linux;

namespace Microvm.Host.GuestConsole;

/// <summary>The main process of a VM's unit: its runner runs at a pseudo-terminal, what the guest prints goes to the journal, and people attach at
/// <see cref="ConsoleSocket"/>.</summary>
internal static class UnitConsole
{
    private const int BySignal = 128, SIGHUP = 1, SIGINT = 2, SIGKILL = 9, SIGTERM = 15;

    /// <summary>Runs a runner's script in the working directory, which is the VM's, and waits for its end. Where there can be no console, it
    /// becomes the script.</summary>
    /// <param name="tell">Called with why there is no console.</param>
    /// <returns>The exit code.</returns>
    /// <exception cref="LinuxException">The script can't be started.</exception>
    internal static int Run(string script, Action<string> tell)
    {
        if (Open(tell) is not var (master, slave, listener))
        {
            PosixProcess.Exec([script]);
            return 1;
        }
        using (master)
        using (slave)
        using (listener)
        {
            using var job = ConsoleJob.Start(slave, [script], [], null);
            using var relay = new ConsoleRelay(master, job) { Listener = listener };
            var code = relay.Run();
            _ = SocketFile.Remove(ConsoleSocket.Name, FileStatus.Of(ConsoleSocket.Name));
            if (code - BySignal is SIGHUP or SIGINT or SIGKILL or SIGTERM)
            {
                // The manager tells an end by a signal that it sent from a failure.
                PosixProcess.EndBy(code - BySignal);
            }
            return code;
        }
    }

    private static (FileDescriptor Master, FileDescriptor Slave, Socket Listener)? Open(Action<string> tell)
    {
        try
        {
            var (master, slave) = TerminalDevice.OpenPair();
            try
            {
                return (master, slave, ConsoleSocket.Listen());
            }
            catch
            {
                master.Dispose();
                slave.Dispose();
                throw;
            }
        }
        catch (Exception e) when (e is IOException or SocketException or LinuxException)
        {
            tell($"'microvm console' can't be used: {e.Message}");
            return null;
        }
    }
}
