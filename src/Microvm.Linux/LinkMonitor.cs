using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Microvm.Linux;

/// <summary>A link that was made, changed or deleted.</summary>
/// <param name="Link">As the kernel told it with the event.</param>
/// <param name="Deleted">The link is gone.</param>
public readonly record struct LinkEvent(Link Link, bool Deleted);

/// <summary>Why a wait ended.</summary>
public enum MonitorWake
{
    /// <summary>The time was up.</summary>
    TimedOut,

    /// <summary>Events were read.</summary>
    Events,

    /// <summary>The kernel dropped events that we were too slow for (ENOBUFS): all must be looked at anew.</summary>
    Lost,

    /// <summary><see cref="LinkMonitor.Stop"/> was called.</summary>
    Stopped,
}

/// <summary>Follows the links of the network namespace of the thread that opens it (RTNLGRP_LINK, rtnetlink(7)). Any user may.</summary>
public sealed unsafe class LinkMonitor : IDisposable
{
    private const int EFD_CLOEXEC = 0x80000;
    private const uint RTMGRP_LINK = 1, RTMGRP_NEIGH = 4, RTMGRP_IPV4_IFADDR = 0x10, RTMGRP_IPV4_ROUTE = 0x40, RTMGRP_IPV6_IFADDR = 0x100, RTMGRP_IPV6_ROUTE = 0x400;
    private const short POLLIN = 1;

    // Some thousand events.
    private const int Room = 4 * 1024 * 1024;
    private readonly NetlinkSocket _socket;
    private readonly FileDescriptor _stop;

    /// <summary>Events from now on are kept by the kernel until they are read.</summary>
    /// <exception cref="LinuxException">No socket could be had.</exception>
    public LinkMonitor() : this(hostSide: false)
    {
    }

    /// <param name="hostSide">Also tells which links lost an address, a route or a neighbour.</param>
    /// <exception cref="LinuxException">No socket could be had.</exception>
    internal LinkMonitor(bool hostSide)
    {
        _stop = new((int)Libc.Check(Libc.eventfd(0, EFD_CLOEXEC), "make an event descriptor"));
        _socket = new(NetlinkSocket.Route, RTMGRP_LINK | (hostSide ? RTMGRP_NEIGH | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE : 0), Room);
    }

    /// <summary>Waits for events and hands all that are there to <paramref name="each"/>.</summary>
    /// <param name="limit">How long to wait; negative for ever.</param>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public MonitorWake Wait(TimeSpan limit, Action<LinkEvent> each) => Wait(limit, each, null);

    /// <param name="lost">Takes the ifindex of a link that an address, a route or a neighbour was taken from, or on which a permanent neighbour was set.</param>
    internal MonitorWake Wait(TimeSpan limit, Action<LinkEvent> each, Action<int>? lost)
    {
        var waits = stackalloc PollDescriptor[2];
        waits[0] = new() { Descriptor = _stop.Value, Events = POLLIN };
        waits[1] = new() { Descriptor = _socket.Descriptor, Events = POLLIN };
        var milliseconds = limit < TimeSpan.Zero ? -1 : (int)Math.Min(int.MaxValue, Math.Ceiling(limit.TotalMilliseconds));
        var ready = Libc.poll(waits, 2, milliseconds);
        if (ready < 0 && Marshal.GetLastPInvokeError() != Errno.EINTR)
        {
            Libc.Check(ready, "wait for link events");
        }
        if (waits[0].Happened != 0 && ready > 0)
        {
            return MonitorWake.Stopped;
        }
        return ready <= 0 ? MonitorWake.TimedOut
            : _socket.Drain("read link events", datagram => Read(datagram, each, lost)) == NetlinkSocket.Events.Lost ? MonitorWake.Lost : MonitorWake.Events;
    }

    /// <summary>Waits for <see cref="Stop"/> alone.</summary>
    /// <returns>Whether it was called.</returns>
    internal bool WaitForStop(TimeSpan limit)
    {
        var wait = new PollDescriptor { Descriptor = _stop.Value, Events = POLLIN };
        return Libc.poll(&wait, 1, (int)limit.TotalMilliseconds) > 0;
    }

    /// <summary>Ends a wait, now or the next one. May be called from any thread.</summary>
    public void Stop()
    {
        var one = 1ul;
        _ = Libc.write(_stop.Value, (byte*)&one, 8);
    }

    /// <summary>Closes the socket. Not while another thread waits: <see cref="Stop"/> it first.</summary>
    public void Dispose()
    {
        _socket.Dispose();
        _stop.Dispose();
    }

    /// <summary>Hands on every link event in a datagram; bytes that are none are passed over.</summary>
    internal static void Read(ReadOnlySpan<byte> datagram, Action<LinkEvent> each, Action<int>? lost = null)
    {
        const ushort RTM_NEWLINK = 16, RTM_DELLINK = 17, RTM_DELADDR = 21, RTM_DELROUTE = 25, RTM_DELNEIGH = 29;
        const byte AF_BRIDGE = 7;
        while (datagram.Length >= 16)
        {
            var length = (int)Math.Min(BinaryPrimitives.ReadUInt32LittleEndian(datagram), (uint)datagram.Length);
            if (length < 16)
            {
                return;
            }
            var type = BinaryPrimitives.ReadUInt16LittleEndian(datagram[4..]);
            if (type is RTM_NEWLINK or RTM_DELLINK && Link.Parse(datagram[16..length]) is { } link)
            {
                // A bridge tells with RTM_DELLINK of its own family that a port left it: the link itself is still there.
                each(new(link, type == RTM_DELLINK && datagram[16] != AF_BRIDGE));
            }
            var index = lost is null ? null : type switch
            {
                RTM_DELADDR => LinkAddress.Parse(datagram[16..length])?.Link,
                RTM_DELROUTE => Route.Parse(datagram[16..length])?.Link,
                RTM_DELNEIGH => LinkNeighbour.Parse(datagram[16..length])?.Link,
                // What is learned says nothing of what was set.
                CarriedKinds.RTM_NEWNEIGH => LinkNeighbour.Parse(datagram[16..length]) is { IsPermanent: true } set ? set.Link : null,
                _ => null,
            };
            if (index is { } of)
            {
                lost!(of);
            }
            datagram = datagram[Math.Min(length + 3 & ~3, datagram.Length)..];
        }
    }
}
