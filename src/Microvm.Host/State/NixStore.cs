using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Security.Cryptography;
using Microvm.Linux;

namespace Microvm.Host;

/// <summary>How somebody who may not write to the nix store works with it: through the host's daemon, or where it has none, through one of our own
/// that serves as long as this lives. Nix itself keeps them from all that is not theirs, as on a host of several users. They get a home of
/// their own besides, which goes again: nothing of the caller's is in it.</summary>
internal sealed class NixStore : IDisposable
{
    private const string Place = "/run/microvm-nix";
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    private readonly HeldFolder _place;
    private readonly string _name;
    private Process? _daemon;

    private string Folder => $"{Place}/{_name}";
    private string Socket => $"{Folder}/socket";

    private NixStore((uint User, uint Group) person)
    {
        _place = HeldFolder.OpenOrMake(Place, mode: 0x1c9 /* 0711: its names are nobody's to list */);
        Sweep(_place);
        _name = $"{Environment.ProcessId.ToString(CultureInfo.InvariantCulture)}-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))}";
        using var folder = _place.Make(_name, 0x1c9 /* 0711 */);
        // Git keeps its hands off a repository of another user's; what such a one could have git run is off.
        folder.Put("gitconfig", "[safe]\n\tdirectory = *\n"u8);
        using var home = folder.Make("home", 0x1c0 /* 0700 */);
        home.GiveTo(person.User, person.Group);
    }

    /// <param name="daemon">Starts nix's daemon with this added to its environment.</param>
    /// <exception cref="IOException">The daemon does not serve.</exception>
    internal static NixStore ForOther((uint User, uint Group) person, Func<IReadOnlyDictionary<string, string>, Process> daemon)
    {
        var store = new NixStore(person);
        try
        {
            if (!Serves(HostSocket))
            {
                store.Serve(daemon);
            }
            return store;
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    /// <summary>Adds what leads a program there.</summary>
    internal void Give(IDictionary<string, string?> environment)
    {
        environment["NIX_REMOTE"] = _daemon is null ? $"unix://{HostSocket}" : $"unix://{Socket}";
        environment["HOME"] = environment["TMPDIR"] = $"{Folder}/home";
        environment["GIT_CONFIG_GLOBAL"] = $"{Folder}/gitconfig";
    }

    public void Dispose()
    {
        if (_daemon is { } daemon)
        {
            daemon.Kill();
            daemon.WaitForExit();
            daemon.Dispose();
        }
        _ = _place.Remove(_name);
        _place.Dispose();
    }

    private static string HostSocket => Environment.GetEnvironmentVariable("NIX_DAEMON_SOCKET_PATH") is { Length: > 0 } path ? path
        : $"{(Environment.GetEnvironmentVariable("NIX_STATE_DIR") is { Length: > 0 } state ? state : "/nix/var/nix")}/daemon-socket/socket";

    private void Serve(Func<IReadOnlyDictionary<string, string>, Process> daemon)
    {
        // Left to itself, it would find this very socket, and serve by asking itself.
        var remote = Environment.GetEnvironmentVariable("NIX_REMOTE") is { Length: > 0 } told && told is not ("auto" or "daemon") ? told : "local";
        _daemon = daemon(new Dictionary<string, string> { ["NIX_REMOTE"] = remote, ["NIX_DAEMON_SOCKET_PATH"] = Socket });
        // It tells of every connection.
        var last = "";
        _daemon.ErrorDataReceived += (_, line) => last = line.Data ?? last;
        _daemon.BeginErrorReadLine();
        _daemon.BeginOutputReadLine();
        var clock = Stopwatch.StartNew();
        while (!Serves(Socket))
        {
            if (_daemon.HasExited || clock.Elapsed > s_patience)
            {
                throw new IOException($"nix's daemon, through which a flake is built, does not start: {Declaration.Printable.Of(last, 500)}");
            }
            Thread.Sleep(20);
        }
    }

    private static bool Serves(string path)
    {
        if (FileStatus.OfTarget(path) is not { IsSocket: true })
        {
            return false;
        }
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(path));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>What is left of processes that were killed.</summary>
    private static void Sweep(HeldFolder place)
    {
        foreach (var name in place.Names().Where(n => n.IndexOf('-') is > 0 and var at && !Directory.Exists($"/proc/{n[..at]}")))
        {
            _ = place.Remove(name);
        }
    }
}
