using System.Globalization;
using System.Net.Sockets;
using System.Security.Cryptography;
using Microvm.Linux;

namespace Microvm.Cli;

/// <summary>A connection that root makes for the person behind sudo, whose ssh runs with their rights alone: a process of root's waits at an abstract
/// socket until the ssh of that person asks, hands the connection over, and ends. It ends with that ssh.</summary>
internal static class OfferedConnection
{
    /// <summary>What an offer's name begins with, and a number or a path does not.</summary>
    internal const char Mark = '@';

    /// <summary>How often it is seen whether that ssh still lives.</summary>
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(300);

    /// <summary>Starts the process that waits; to be called by the process that becomes ssh.</summary>
    /// <param name="connect">The words of our own that make the connection.</param>
    /// <param name="person">Who may have it.</param>
    /// <returns>The name to ask for.</returns>
    internal static string Offer(IEnumerable<string> connect, uint person)
    {
        var name = $"microvm-ssh-{RandomNumberGenerator.GetHexString(32, lowercase: true)}";
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint($"\0{name}"));
        listener.Listen(1);
        var handed = PosixProcess.Hand((int)listener.Handle);
        SearchPath.Start(new("/proc/self/exe", [.. connect, string.Create(CultureInfo.InvariantCulture, $"{handed}:{person}:{Environment.ProcessId}")])).Dispose();
        PosixProcess.Close(handed);
        return $"{Mark}{name}";
    }

    /// <summary>In that process: waits for the person, whoever else comes.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    /// <exception cref="IOException">Nobody waits for it any more.</exception>
    internal static Socket Await(string offer)
    {
        var numbers = offer.Split(':');
        using var listener = new Socket(new SafeSocketHandle(nint.Parse(numbers[0], CultureInfo.InvariantCulture), ownsHandle: true));
        PosixProcess.CloseOnExec((int)listener.Handle);
        var ssh = int.Parse(numbers[2], CultureInfo.InvariantCulture);
        while (true)
        {
            // The kernel's own way (PR_SET_PDEATHSIG) fails here: the ssh that ends is another user's, who may not signal a process of root's.
            while (!listener.Poll(s_look, SelectMode.SelectRead))
            {
                if (PosixProcess.Parent != ssh)
                {
                    throw new IOException("the ssh that the connection was for has ended");
                }
            }
            var asked = listener.Accept();
            if (SocketFile.Peer(asked).User == uint.Parse(numbers[1], CultureInfo.InvariantCulture))
            {
                return asked;
            }
            asked.Dispose();
        }
    }

    /// <summary>As the person: asks for the connection.</summary>
    /// <exception cref="IOException">It could not be made, for a reason that the other process has told; or root does not offer it.</exception>
    internal static FileDescriptor Take(string name)
    {
        using var asking = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            asking.Connect(new UnixDomainSocketEndPoint($"\0{name[1..]}"));
        }
        catch (SocketException e)
        {
            throw new IOException($"nobody offers this connection any more: {e.Message}", e);
        }
        return SocketFile.Peer(asking).User == 0 && PassedDescriptor.Receive((int)asking.Handle) is { } connection ? connection : throw new IOException("the connection to the guest could not be made");
    }
}
