using System.Buffers.Binary;

namespace Microvm.Linux;

/// <summary>A descriptor that is handed to the process at the other end of a Unix socket (SCM_RIGHTS, unix(7)).</summary>
internal static unsafe class PassedDescriptor
{
    /// <exception cref="LinuxException">The kernel refused: what it is sent over is no Unix socket, say.</exception>
    public static void Send(int socket, int descriptor)
    {
        const int SOL_SOCKET = 1, SCM_RIGHTS = 1, Header = 16, MSG_NOSIGNAL = 0x4000;
        // struct cmsghdr, whose length is a size_t, and one int.
        Span<byte> control = stackalloc byte[24];
        control.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(control, Header + sizeof(int));
        BinaryPrimitives.WriteInt32LittleEndian(control[8..], SOL_SOCKET);
        BinaryPrimitives.WriteInt32LittleEndian(control[12..], SCM_RIGHTS);
        BinaryPrimitives.WriteInt32LittleEndian(control[Header..], descriptor);
        byte one = 0;
        var vector = new IoVector { Base = &one, Length = 1 };
        fixed (byte* rights = control)
        {
            var message = new MessageHeader { Vectors = &vector, VectorCount = 1, Control = rights, ControlLength = (nuint)control.Length };
            Libc.Check(Libc.sendmsg(socket, &message, MSG_NOSIGNAL), "hand a connection to ssh");
        }
    }

    /// <summary>Waits for one; null where the other end closes without one.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static FileDescriptor? Receive(int socket)
    {
        const int SCM_RIGHTS = 1, Header = 16, MSG_CMSG_CLOEXEC = 0x40000000;
        Span<byte> control = stackalloc byte[24];
        control.Clear();
        byte one;
        var vector = new IoVector { Base = &one, Length = 1 };
        fixed (byte* rights = control)
        {
            var message = new MessageHeader { Vectors = &vector, VectorCount = 1, Control = rights, ControlLength = (nuint)control.Length };
            var got = Libc.Check(Libc.recvmsg(socket, &message, MSG_CMSG_CLOEXEC), "be handed a connection");
            return got > 0 && message.ControlLength >= Header + sizeof(int) && BinaryPrimitives.ReadInt32LittleEndian(control[12..]) == SCM_RIGHTS
                ? new(BinaryPrimitives.ReadInt32LittleEndian(control[Header..])) : null;
        }
    }
}
