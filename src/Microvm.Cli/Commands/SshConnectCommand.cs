using System.CommandLine;
using Microvm.Host.Control;
using Microvm.Linux;

namespace Microvm.Cli.Commands;

/// <summary>Not for people: what <c>microvm ssh</c> gives to ssh as its ProxyCommand. It connects to a guest's vsock port, hands the connection to ssh over
/// standard output (ProxyUseFdpass), and ends.</summary>
internal static class SshConnectCommand
{
    internal const string Name = "ssh-connect";
    private static readonly Argument<string> s_to = new("CID-OR-SOCKET");
    private static readonly Argument<int> s_port = new("PORT") { Arity = ArgumentArity.ZeroOrOne };
    private static readonly Argument<string> s_holders = new("USERS") { Arity = ArgumentArity.ZeroOrOne };
    private static readonly Argument<string?> s_offer = new("OFFER") { Arity = ArgumentArity.ZeroOrOne };

    internal static Command Create()
    {
        var command = Verb.Define(Name, "Connects ssh to a guest's vsock port", [], Run, s_to, s_port, s_holders, s_offer);
        command.Hidden = true;
        return command;
    }

    private static int Run(ParseResult result)
    {
        var (to, port) = (result.GetValue(s_to)!, result.GetValue(s_port));
        if (to.StartsWith(OfferedConnection.Mark))
        {
            using var offered = OfferedConnection.Take(to);
            PassedDescriptor.Send(StandardOutput, offered.Value);
            return 0;
        }
        if (!to.Contains('/'))
        {
            using var connection = Kernel(uint.Parse(to, System.Globalization.CultureInfo.InvariantCulture), (uint)port);
            PassedDescriptor.Send(StandardOutput, connection.Value);
            return 0;
        }
        using var asked = result.GetValue(s_offer) is { } offer ? OfferedConnection.Await(offer) : null;
        var holders = SocketHolders.Parse(result.GetValue(s_holders)!);
        // The VM's user may have put another socket in its place: what is reached then is what this user may reach.
        if (PosixProcess.EffectiveUser == 0 && FileStatus.Of(to) is { } there && holders.Has(there.User, to))
        {
            PosixProcess.Become(there.User, there.Group);
        }
        using var socket = VsockMultiplexer.Open(to, port, holders);
        PassedDescriptor.Send((int?)asked?.Handle ?? StandardOutput, (int)socket.Handle);
        return 0;
    }

    private const int StandardOutput = 1;

    private static FileDescriptor Kernel(uint cid, uint port)
    {
        try
        {
            return VsockConnection.Open(cid, port);
        }
        catch (LinuxException e)
        {
            throw new IOException(e.Errno switch
            {
                Errno.EAFNOSUPPORT => "this kernel has no AF_VSOCK; load it with: sudo modprobe vhost_vsock",
                Errno.ENODEV => $"no VM with vsock cid {cid} runs on this host",
                Errno.ECONNRESET => $"nothing listens at vsock port {port} of the guest, or it has not come so far yet",
                Errno.ETIMEDOUT => $"nothing answers at vsock port {port} of cid {cid}: the VM does not run, or its guest has no vsock yet",
                _ => e.Message,
            }, e);
        }
    }
}
