using System.Buffers.Binary;

namespace Microvm.Linux;

/// <summary>Connections into a virtual machine over AF_VSOCK (vsock(7)), which the kernel makes where a hypervisor uses vhost-vsock.</summary>
internal static unsafe class VsockConnection
{
    /// <summary>Connects; takes two seconds at most, the kernel's own limit.</summary>
    /// <exception cref="LinuxException">The kernel refused: no such device (ENODEV), nobody listens (ECONNRESET), or no answer (ETIMEDOUT).</exception>
    public static FileDescriptor Open(uint cid, uint port)
    {
        const int AF_VSOCK = 40, SOCK_STREAM = 1, SOCK_CLOEXEC = 0x80000;
        var what = $"connect to vsock port {port} of the guest with cid {cid}";
        var socket = new FileDescriptor((int)Libc.Check(Libc.socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0), what));
        // struct sockaddr_vm: family, reserved, port, cid, four zero bytes.
        Span<byte> address = stackalloc byte[16];
        address.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(address, AF_VSOCK);
        BinaryPrimitives.WriteUInt32LittleEndian(address[4..], port);
        BinaryPrimitives.WriteUInt32LittleEndian(address[8..], cid);
        try
        {
            fixed (byte* p = address)
            {
                Libc.Check(Libc.connect(socket.Value, p, (uint)address.Length), what);
            }
        }
        catch
        {
            socket.Dispose();
            throw;
        }
        return socket;
    }
}
