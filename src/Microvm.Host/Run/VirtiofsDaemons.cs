using System.Diagnostics;
using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Host.Run;

/// <summary>The daemons of one VM's shares, one a share. Each ends by itself when its VM does; when one fails, all are ended.</summary>
internal sealed class VirtiofsDaemons : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(15);
    private readonly List<(Share Share, Process Daemon)> _daemons = [];
    private readonly List<(string Path, FileStatus? Made)> _sockets = [];

    /// <summary>The shares that need one and behind whose socket nobody is.</summary>
    public static IEnumerable<string> Faults(MicrovmConfig vm, string file) =>
        from share in vm.HasVirtiofsd ? vm.Shares : []
        where share.IsVirtiofs && !File.Exists(share.Socket)
        select $"the share '{Printable.Of(share.Tag)}' needs a virtiofsd, and there is no socket {Printable.Of(share.Socket ?? "")}; start it in this directory, and leave it running: sudo microvm virtiofsd {Shell.Quote(file)}";

    /// <summary>Takes away the sockets that killed daemons left, and looks whether the person who is acted for may have new ones made there.</summary>
    /// <exception cref="IOException">Somebody listens on one, it is no socket, or the person may not write there.</exception>
    public static void Prepare(IEnumerable<Share> shares)
    {
        foreach (var path in shares.Select(s => Path.GetFullPath(s.Socket!)))
        {
            var folder = Path.GetDirectoryName(path)!;
            if (!Caller.MayWrite(folder))
            {
                throw new IOException($"the socket {Printable.Of(path)} can't be made: who runs this may not write in {Printable.Of(folder)}");
            }
            using (Caller.Act())
            {
                if (!SocketFile.RemoveStale(path))
                {
                    throw new IOException($"another process already listens on the socket {Printable.Of(path)} already; end that virtiofsd first");
                }
            }
        }
    }

    /// <summary>Starts them and waits until each listens.</summary>
    /// <param name="lines">The command line of each share.</param>
    /// <param name="stopped">Asked while waiting; once it says true, they are ended.</param>
    /// <exception cref="IOException">One ended, or did not listen in time; none is left then.</exception>
    public VirtiofsDaemons(IEnumerable<(Share Share, IReadOnlyList<string> Words)> lines, Func<bool> stopped)
    {
        try
        {
            foreach (var (share, words) in lines)
            {
                _daemons.Add((share, SearchPath.Start(new(words[0], words.Skip(1)))));
            }
            var start = Stopwatch.GetTimestamp();
            foreach (var (share, daemon) in _daemons)
            {
                while (!File.Exists(share.Socket) && !stopped())
                {
                    if (daemon.HasExited || Stopwatch.GetElapsedTime(start) > s_patience)
                    {
                        throw new IOException($"virtiofsd for the share '{Printable.Of(share.Tag)}' {(daemon.HasExited ? $"ended with exit code {daemon.ExitCode}; what it printed above says why" : "does not listen")}");
                    }
                    Thread.Sleep(5);
                }
                _sockets.Add((Path.GetFullPath(share.Socket!), FileStatus.Of(Path.GetFullPath(share.Socket!))));
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Waits until all have ended, or are to be.</summary>
    /// <param name="stopped">Asked while waiting.</param>
    /// <exception cref="IOException">One failed.</exception>
    public void Wait(Func<bool> stopped)
    {
        for (var running = true; running && !stopped(); Thread.Sleep(50))
        {
            running = _daemons.Any(d => !d.Daemon.HasExited);
            if (_daemons.FirstOrDefault(d => d.Daemon.HasExited && d.Daemon.ExitCode != 0) is { Daemon: not null } failed && !stopped())
            {
                throw new IOException($"virtiofsd for the share '{Printable.Of(failed.Share.Tag)}' ended with exit code {failed.Daemon.ExitCode}; what it printed above says why");
            }
        }
    }

    /// <summary>Ends those that run and removes their sockets.</summary>
    public void Dispose()
    {
        foreach (var (_, daemon) in _daemons.Where(d => !d.Daemon.HasExited))
        {
            PosixProcess.Terminate(daemon.Id);
        }
        foreach (var (_, daemon) in _daemons)
        {
            if (!daemon.WaitForExit(TimeSpan.FromSeconds(5)))
            {
                daemon.Kill(entireProcessTree: true);
            }
            daemon.Dispose();
        }
        _sockets.ForEach(s => SocketFile.Remove(s.Path, s.Made));
    }
}
