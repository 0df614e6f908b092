using System.Runtime.InteropServices;

namespace Microvm.Tests.Linux;

/// <summary>What the kernel answers to a dump of all links, as bytes: datagram by datagram.</summary>
internal static partial class RawDump
{
    internal static List<byte[]> Links()
    {
        var socket = Open(16, 3, 0);
        Assert.True(socket >= 0);
        try
        {
            // nlmsghdr: length 32, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, sequence 1; then an empty ifinfomsg.
            byte[] request = [32, 0, 0, 0, 18, 0, 1, 3, 1, 0, 0, 0, .. new byte[20]];
            Assert.Equal(request.Length, Send(socket, request, (nuint)request.Length, 0));
            var answers = new List<byte[]>();
            var buffer = new byte[65536];
            for (; ; )
            {
                var got = (int)Receive(socket, buffer, (nuint)buffer.Length, 0);
                Assert.True(got > 0);
                answers.Add(buffer[..got]);
                if (BitConverter.ToUInt16(buffer, 4) == 3)
                {
                    return answers;
                }
            }
        }
        finally
        {
            _ = Close(socket);
        }
    }

    [LibraryImport("libc", EntryPoint = "socket")] private static partial int Open(int domain, int type, int protocol);
    [LibraryImport("libc", EntryPoint = "send")] private static partial nint Send(int fd, byte[] buffer, nuint length, int flags);
    [LibraryImport("libc", EntryPoint = "recv")] private static partial nint Receive(int fd, byte[] buffer, nuint length, int flags);
    [LibraryImport("libc", EntryPoint = "close")] private static partial int Close(int fd);
}
