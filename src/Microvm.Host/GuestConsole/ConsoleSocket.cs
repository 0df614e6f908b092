using System.Net.Sockets;
using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Host.GuestConsole;

/// <summary>Where a VM's console is attached to: a socket in the VM's directory.</summary>
internal static class ConsoleSocket
{
    internal const string Name = "console.sock";

    /// <summary>Listens in the working directory, for root and the VM's own user.</summary>
    /// <exception cref="IOException">Something else is there, or another VM listens.</exception>
    /// <exception cref="SocketException">It can't be made.</exception>
    internal static Socket Listen()
    {
        if (!SocketFile.RemoveStale(Name))
        {
            throw new IOException($"somebody listens at {Name} in {Environment.CurrentDirectory} already");
        }
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false };
        try
        {
            socket.Bind(new UnixDomainSocketEndPoint(Name));
            SocketFile.SetMode(Name, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            socket.Listen(8);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Attaches to a VM's console. The directory is the hypervisor's to write: who listens there is asked before anything is sent.</summary>
    /// <param name="holder">The main process of the VM's unit, which is the one to listen.</param>
    /// <returns>The connection, or null where nobody listens.</returns>
    /// <exception cref="IOException">Another process listens.</exception>
    /// <exception cref="UnauthorizedAccessException">Permission is denied.</exception>
    internal static Socket? Attach(VmDirectory vm, int holder)
    {
        using var folder = HeldFolder.Open(vm.Path);
        if (folder.Look(Name) is not { IsSocket: true })
        {
            return null;
        }
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { SendTimeout = 5000 };
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint($"{folder.Own}/{Name}"));
            var listener = SocketFile.Listener(socket);
            return listener == holder ? socket
                : throw new IOException($"{Printable.Of(vm.Path)}/{Name} belongs to process {listener}, which is not the VM's unit (process {holder}); nothing was sent to it");
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
        {
            socket.Dispose();
            return null;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AccessDenied)
        {
            socket.Dispose();
            throw new UnauthorizedAccessException($"the console of '{vm.Name}' is not open", e);
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw new IOException($"can't attach to the console of '{vm.Name}': {e.Message}", e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
