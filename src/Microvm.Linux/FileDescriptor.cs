using Microsoft.Win32.SafeHandles;

namespace Microvm.Linux;

/// <summary>A descriptor that closes itself.</summary>
internal sealed class FileDescriptor : SafeHandleMinusOneIsInvalid
{
    internal FileDescriptor(int fd) : base(true) => SetHandle(fd);
    internal int Value => (int)handle;
    protected override bool ReleaseHandle() => Libc.close((int)handle) == 0;
}
