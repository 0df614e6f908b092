using System.Runtime.InteropServices;
using System.Text;

namespace Microvm.Linux;

/// <summary>Settings below <c>/proc/sys/net</c> of one link, in the calling thread's network namespace.</summary>
/// <remarks>They are found by name, and a name may be another link's a moment later. The index is the link.</remarks>
internal static unsafe class LinkSetting
{
    private const int O_WRONLY = 1, O_CLOEXEC = 0x80000;

    /// <summary>Turns IPv6 off or on for a link (<c>disable_ipv6</c> in Documentation/networking/ip-sysctl.rst). A kernel without IPv6 has nothing to turn off.</summary>
    /// <exception cref="LinuxException">EACCES: no CAP_NET_ADMIN; ENODEV: the name is another link's by now.</exception>
    internal static void DisableIpv6(int index, string link, bool disabled)
    {
        if (Directory.Exists("/proc/sys/net/ipv6"))
        {
            Write(index, link, "ipv6/conf", "disable_ipv6", disabled ? "1" : "0", $"turn IPv6 {(disabled ? "off" : "on")} on '{link}'");
        }
    }

    /// <summary>Writes one setting of the link that has this index, and of no other.</summary>
    /// <param name="folder">Such as <c>ipv6/conf</c>.</param>
    /// <exception cref="LinuxException">The kernel refused it; ENODEV: the name is another link's by now.</exception>
    internal static void Write(int index, string link, string folder, string setting, string value, string what)
    {
        using var file = new FileDescriptor((int)Libc.Check(Libc.open($"/proc/sys/net/{folder}/{link}/{setting}", O_WRONLY | O_CLOEXEC), what));
        // Only now: a rename takes the setting away under its old name, and the kernel refuses to write what was opened there
        // (proc_sys_call_handler() in fs/proc/proc_sysctl.c). So what can still be written belongs to the link that has the name.
        ThrowUnlessNamed(index, link, what);
        var bytes = Encoding.UTF8.GetBytes(value);
        fixed (byte* p = bytes)
        {
            Libc.Check(Libc.write(file.Value, p, (nuint)bytes.Length), what);
        }
    }

    /// <summary>That the link of this index has this name at this moment.</summary>
    /// <exception cref="LinuxException">ENODEV: it has another, or is gone.</exception>
    internal static void ThrowUnlessNamed(int index, string link, string what)
    {
        const int IF_NAMESIZE = 16;
        var name = stackalloc byte[IF_NAMESIZE];
        if (Libc.if_indextoname((uint)index, name) == null || !MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name).SequenceEqual(Encoding.UTF8.GetBytes(link)))
        {
            throw new LinuxException(what, Errno.ENODEV, $"the link {index} is no longer called that");
        }
    }
}
