using System.Runtime.InteropServices;

namespace Microvm.Linux;

/// <summary>Standard output or errors, written with write(2) and nothing around it. A reader that went away is no error: the rest goes nowhere, and <see cref="IsBroken"/> tells.</summary>
/// <param name="fd">The descriptor; it is not closed with the stream.</param>
/// <param name="mustArrive">Whether any other failure is an exception. For messages there is nowhere left to tell it: the exit code has to do.</param>
internal sealed unsafe class StandardStream(int fd, bool mustArrive = true) : Stream
{
    private const int EAGAIN = 11, EPIPE = 32;
    private const short POLLOUT = 4;

    /// <summary>Whether the reader has gone away.</summary>
    public bool IsBroken { get; private set; }

    /// <summary>Looks whether a pipe still has a reader, where nothing is being written.</summary>
    public void LookForReader() => IsBroken |= PosixProcess.IsUnread(fd);

    public override bool CanRead => false;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
    public override void Flush() { }
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> bytes)
    {
        fixed (byte* p = bytes)
        {
            for (var done = 0; done < bytes.Length && !IsBroken;)
            {
                var wrote = Libc.write(fd, p + done, (nuint)(bytes.Length - done));
                if (wrote >= 0)
                {
                    done += (int)wrote;
                    continue;
                }
                switch (Marshal.GetLastPInvokeError())
                {
                    case Errno.EINTR:
                        break;
                    case EAGAIN:
                        var wait = new PollDescriptor { Descriptor = fd, Events = POLLOUT };
                        _ = Libc.poll(&wait, 1, -1);
                        break;
                    case var errno when errno == EPIPE || !mustArrive:
                        IsBroken = true;
                        break;
                    case var errno:
                        throw new IOException($"write to descriptor {fd}: {Marshal.GetPInvokeErrorMessage(errno)}");
                }
            }
        }
    }
}

/// <summary>struct pollfd.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PollDescriptor
{
    internal int Descriptor;
    internal short Events, Happened;
}
