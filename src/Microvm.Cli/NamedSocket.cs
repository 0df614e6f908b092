using System.Net.Sockets;
using Microvm.Linux;

namespace Microvm.Cli;

/// <summary>A Unix socket at a path that a person names: made with the rights of the person behind sudo, as a file that they name is
/// (<see cref="NamedFile"/>). Its file goes with it.</summary>
internal sealed class NamedSocket : IDisposable
{
    private readonly HeldFolder _folder;
    private readonly string _name;
    private readonly FileStatus? _made;

    private NamedSocket(Socket socket, HeldFolder folder, string name) => (Socket, _folder, _name, _made) = (socket, folder, name, folder.Look(name));

    internal Socket Socket { get; }

    /// <summary>Listens; only the socket's owner and group may connect. One that nobody listens on any more is replaced.</summary>
    /// <exception cref="UsageException">Somebody listens there.</exception>
    /// <exception cref="IOException">It can't be made; the person may not make it, say.</exception>
    internal static NamedSocket Listen(string path)
    {
        using var person = Caller.ActAsStarter();
        if (!SocketFile.RemoveStale(path))
        {
            throw new UsageException($"another process already listens on {path}");
        }
        var full = Path.GetFullPath(path);
        var folder = HeldFolder.Open(Path.GetDirectoryName(full)!);
        try
        {
            // .NET's sockets remove the file that they were bound to by its path, whatever that leads to by then: this one ends with the descriptor.
            var held = $"{folder.Own}/{Path.GetFileName(full)}";
            var socket = MetricsServer.Bind(new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified), new UnixDomainSocketEndPoint(held), path);
            SocketFile.SetMode(held, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite);
            return new(socket, folder, Path.GetFileName(full));
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    /// <summary>Removes the very file that was made, from the very directory in which the person could make it, wherever that path leads by now.</summary>
    public void Dispose()
    {
        if (_made is { } made && _folder.Look(_name) is { } there && there.Is(made))
        {
            _ = _folder.Remove(_name);
        }
        _folder.Dispose();
        Socket.Dispose();
    }
}
