using System.Diagnostics;
using System.Net.Sockets;

namespace Microvm.Host.Control;

/// <summary>kvmtool's socket: <c>.lkvm/NAME.sock</c> below the HOME that it was started with (its kvm-ipc.c).</summary>
internal sealed class KvmtoolControl : IVmControl
{
    /// <summary>struct kvm_ipc_head with KVM_IPC_STOP and no more.</summary>
    private static readonly byte[] s_stop = [6, 0, 0, 0, 0, 0, 0, 0];

    private readonly string _socket;
    private readonly SocketHolders _holders;

    private KvmtoolControl(string socket, SocketHolders holders) => (_socket, _holders) = (socket, holders);

    /// <summary>Null where nobody listens, in HOME or in the working directory, which <c>run</c> gives it where HOME can't be written.</summary>
    internal static KvmtoolControl? Open(string name, SocketHolders holders) =>
        ((string?[])[Environment.GetEnvironmentVariable("HOME"), Environment.CurrentDirectory])
            .Where(d => !string.IsNullOrEmpty(d)).Select(d => Path.Combine(d!, ".lkvm", $"{name}.sock"))
            .FirstOrDefault(p => File.Exists(p) && UnixStream.Listens(p, SocketType.Stream, holders)) is { } socket ? new(socket, holders) : null;

    /// <summary>It has no power button.</summary>
    public bool AsksGuest => false;

    public void RequestShutdown()
    {
        using var stream = UnixStream.Connect(_socket, _holders) ?? throw new ControlException("the hypervisor has ended");
        try
        {
            stream.Write(s_stop);
        }
        catch (IOException e)
        {
            throw new ControlException($"kvmtool doesn't take a request: {e.Message}", e);
        }
    }

    public bool Quit() => false;

    public long? SetMemory(long mebibytes) =>
        throw new ControlException("kvmtool changes its balloon in steps only (lkvm balloon -i/-d MIB); use that");

    public bool WaitForEnd(TimeSpan limit)
    {
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < limit; Thread.Sleep(50))
        {
            if (!UnixStream.Listens(_socket, SocketType.Stream, _holders))
            {
                return true;
            }
        }
        return false;
    }

    public void Dispose()
    {
    }
}
