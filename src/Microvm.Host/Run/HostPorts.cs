using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network;

namespace Microvm.Host.Run;

/// <summary>The host's ports that are forwarded to a guest, tried by binding each as the program that forwards will.</summary>
internal static class HostPorts
{
    private const int SOL_SOCKET = 1, SO_REUSEADDR = 2;

    /// <summary>Why a port can't be had, with what to do; null where it can.</summary>
    public static string? Fault(ForwardPort port)
    {
        var address = port.HostAddress is { } given ? IPAddress.Parse(given) : IPAddress.Any;
        var isTcp = port.Proto == "tcp";
        using var socket = new Socket(AddressFamily.InterNetwork, isTcp ? SocketType.Stream : SocketType.Dgram, isTcp ? ProtocolType.Tcp : ProtocolType.Udp);
        if (isTcp)
        {
            // As QEMU's and slirp4netns' libslirp: connections of the last run that linger (TIME_WAIT) are no hindrance.
            socket.SetRawSocketOption(SOL_SOCKET, SO_REUSEADDR, BitConverter.GetBytes(1));
        }
        var what = $"{port.Proto} port {port.HostPort.ToString(CultureInfo.InvariantCulture)} of the host";
        try
        {
            socket.Bind(new IPEndPoint(address, port.HostPort));
            return null;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode switch
            {
                SocketError.AddressAlreadyInUse => $"{what} is taken{(Holder(port.Proto, port.HostPort) is { } pid ? $" by {LinkHolders.Words(pid)}" : "")}; end that, or set host.port to another",
                SocketError.AddressNotAvailable => $"{what} is to be forwarded from {port.HostAddress}, which is no address of this host; ip -brief address shows those that are, and without host.address it is every one",
                SocketError.AccessDenied => $"{what} takes a privilege that no hypervisor gets; forward one from {Unprivileged()} on, or allow it to everybody: sudo sysctl net.ipv4.ip_unprivileged_port_start={port.HostPort.ToString(CultureInfo.InvariantCulture)}",
                _ => $"{what} can't be bound: {e.Message}",
            };
        }
    }

    private static string Unprivileged()
    {
        try
        {
            return File.ReadAllText("/proc/sys/net/ipv4/ip_unprivileged_port_start").Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "1024";
        }
    }

    /// <summary>The process that has the port, where it may be seen: by the inode of its socket.</summary>
    private static int? Holder(string proto, int port)
    {
        // proc_net_tcp: sl, local address:port in hexadecimal digits, remote, state (0A: listens), queues, timer, retransmits, user, timeout, inode.
        var end = ":" + port.ToString("X4", CultureInfo.InvariantCulture);
        try
        {
            var sockets = ((string[])[$"/proc/thread-self/net/{proto}", $"/proc/thread-self/net/{proto}6"]).Where(File.Exists).SelectMany(File.ReadLines)
                .Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries))
                .Where(f => f.Length > 9 && f[1].EndsWith(end, StringComparison.Ordinal) && (proto != "tcp" || f[3] == "0A"))
                .Select(f => $"socket:[{f[9]}]").ToHashSet();
            return sockets.Count == 0 ? null : LinkHolder.Owner(sockets);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
