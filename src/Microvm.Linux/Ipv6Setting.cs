namespace Microvm.Linux;

/// <summary>IPv6 of one link, in the calling thread's network namespace.</summary>
internal static class Ipv6Setting
{
    private const int O_WRONLY = 1, O_CLOEXEC = 0x80000;

    /// <summary>Turns IPv6 off or on for a link (<c>disable_ipv6</c> in Documentation/networking/ip-sysctl.rst). A kernel without IPv6 has nothing to turn off.</summary>
    /// <exception cref="LinuxException">EACCES: no CAP_NET_ADMIN.</exception>
    public static unsafe void Disable(string link, bool disabled)
    {
        var path = $"/proc/sys/net/ipv6/conf/{link}/disable_ipv6";
        var fd = Libc.open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 && System.Runtime.InteropServices.Marshal.GetLastPInvokeError() == Errno.ENOENT)
        {
            return;
        }
        using var file = new FileDescriptor((int)Libc.Check(fd, $"turn IPv6 off on '{link}'"));
        var digit = disabled ? (byte)'1' : (byte)'0';
        Libc.Check(Libc.write(file.Value, &digit, 1), $"turn IPv6 off on '{link}'");
    }
}
