using System.CommandLine;
using System.Globalization;
using Microvm.Declaration;
using Microvm.Host;
using Microvm.Host.Control;
using Microvm.Linux;

namespace Microvm.Cli.Commands;

internal static class SshCommand
{
    private static readonly Argument<string> s_target = new("VM") { Description = "A VM of this host by name, or a declaration file; with USER@ before it, another user of the guest than root", HelpName = "VM" };
    private static readonly Argument<string[]> s_command = new("COMMAND") { Description = "What to run in the guest in place of a shell; its options need no --", Arity = ArgumentArity.ZeroOrMore };
    private static readonly Option<string?> s_identity = new("--identity", "-i") { Description = "The private key to log in with", HelpName = "FILE" };
    private static readonly Option<string[]> s_options = new("--option", "-o") { Description = "An option of ssh_config(5), as ssh takes it", HelpName = "KEY=VALUE", DefaultValueFactory = _ => [] };
    private static readonly Option<bool> s_tty = new("--tty", "-t") { Description = "Give COMMAND a terminal" };
    private static readonly Option<int> s_port = new("--port", "-p") { Description = "The vsock port of the guest's SSH server", HelpName = "PORT", DefaultValueFactory = _ => GuestSshWay.Port };

    internal static Command Create() => Verb.Define(new DocumentedCommand("ssh", "Log in to a VM's guest, over vsock, a forwarded port or its address",
        ["microvm ssh web", "microvm ssh admin@web uptime", "microvm ssh -i web.key web -- journalctl -f", "microvm ssh vm.nix"])
    {
        Details =
        [
            "Neither a network nor an address is needed: with microvm.vsock.cid the connection goes through vsock, by the host's kernel (QEMU, crosvm, kvmtool, Alioth, StratoVirt) or by the hypervisor (cloud-hypervisor, Firecracker, whose socket is the VM's user's, so use sudo). Without vsock a port in microvm.forwardPorts is used that leads to the guest's port 22, or the address that the VM has on a declared network or by guest.addresses.",
            "With sudo, ssh runs as the person behind it: with their keys, known hosts and settings, and without root's rights. Root only reads the VM's directory and connects.",
            "In the guest an SSH server must listen on vsock port 22. systemd 256 and later does so by itself where sshd is installed; in a NixOS guest microvm.vsock.ssh.enable turns it on. Over vsock no host key is asked about: nobody is between this host and its VM.",
        ],
        ExitCodes = [("0 to 255", "that of ssh: the command's own, or 255 where the connection failed"), ("1", "the VM does not run"), ("2", "wrong usage, or the declaration knows no way into the guest")],
    }, Run, s_target, s_command, s_identity, s_options, s_tty, s_port, ChosenVm.Option, VmHost.State);

    /// <summary>As with ssh itself, the first word after the VM that is no option begins the command, whose own options are not ours.</summary>
    internal static string[] SetApart(string[] args)
    {
        if (args is not ["ssh", ..])
        {
            return args;
        }
        Option[] valued = [s_identity, s_options, s_port, ChosenVm.Option, VmHost.State, CommonOptions.Color];
        var isThere = false;
        for (var n = 1; n < args.Length && args[n] != "--"; n++)
        {
            if (args[n] is ['-', _, ..])
            {
                // The value of one that takes it stands behind it.
                n += valued.Any(o => o.Name == args[n] || o.Aliases.Contains(args[n])) ? 1 : 0;
            }
            else if (isThere)
            {
                return [.. args[..n], "--", .. args[n..]];
            }
            else
            {
                isThere = true;
            }
        }
        return args;
    }

    private static int Run(ParseResult result)
    {
        var target = result.GetValue(s_target)!;
        var (user, vm) = target.IndexOf('@') is > 0 and var at && !Path.Exists(target) ? (target[..at], target[(at + 1)..]) : ("root", target);
        if (result.GetValue(s_port) is < 1)
        {
            throw new UsageException("--port takes a number from 1 up");
        }
        if (Find(result, vm) is not var (name, way, folder, holders))
        {
            return 2;
        }
        var ssh = SearchPath.Find("ssh") ?? throw new IOException("there is no ssh on the PATH; install it (Debian: apt install openssh-client)");
        // What the caller says comes first, since ssh takes the first value of an option.
        List<string> words = [ssh, .. result.GetValue(s_options)!.SelectMany(o => (string[])["-o", o])];
        if (result.GetValue(s_identity) is { } key)
        {
            words.AddRange(["-i", key]);
        }
        if (result.GetValue(s_tty))
        {
            words.Add("-t");
        }
        words.AddRange(["-l", user, .. Way(way, name, folder, holders, result.GetValue(s_port)), "--", way is GuestSshWay.Tcp { Address: var address } ? address : name]);
        if (result.GetValue(s_command) is { Length: > 0 } command)
        {
            // A second -- would be the command's; a word with a dash in front would be ssh's.
            words.AddRange(command[0].StartsWith('-') ? throw new UsageException("a command's first word is a program, not an option") : command);
        }
        // ssh reads the keys, the known hosts and the settings of whoever runs it, and runs what an option says: with sudo, all that is the person's behind it.
        Caller.Keep([]);
        Caller.Become();
        PosixProcess.Exec(words);
        return 1;
    }

    private static IEnumerable<string> Way(GuestSshWay way, string name, string folder, SocketHolders holders, int port)
    {
        if (way is GuestSshWay.Tcp tcp)
        {
            // A port of the host is anybody's, and another guest may take an address: the guest's key is kept under the VM's name, and asked for.
            return ["-p", Number(tcp.TcpPort), "-o", $"HostKeyAlias={name}.microvm", "-o", "StrictHostKeyChecking=accept-new"];
        }
        string[] connect = [SshConnectCommand.Name, "--", way is GuestSshWay.HypervisorSocket { Path: var path } ? Path.GetFullPath(path, folder) : Number(((GuestSshWay.Vsock)way).Cid), Number(port), holders.Words];
        if (way is GuestSshWay.HypervisorSocket && Caller.BehindSudo is { } person and not 0)
        {
            connect = [SshConnectCommand.Name, "--", OfferedConnection.Offer(connect, person)];
        }
        // A shell of ssh's reads the line, after ssh has looked for its %-words.
        var proxy = string.Join(' ', ((string[])[VmHost.Binary, .. connect]).Select(Shell.Quote)).Replace("%", "%%", StringComparison.Ordinal);
        return ["-o", $"ProxyCommand={proxy}", "-o", "ProxyUseFdpass=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"];
    }

    /// <summary>The VM's name, the way into its guest, and the directory that a socket's path is relative to; null after the reason was printed.</summary>
    private static (string Name, GuestSshWay Way, string Folder, SocketHolders Holders)? Find(ParseResult result, string target)
    {
        if (!VmName.TryParse(target, out _) || Path.Exists(target))
        {
            return VmControlSession.Read(result, target) is var (declared, attachments) ? Known(declared.Name, declared, GuestSshWay.Of(declared, attachments), Environment.CurrentDirectory, SocketHolders.Of(target, declared.User)) : null;
        }
        var vm = VmHost.Existing(VmHost.Directory(result), target);
        if (vm.Booted is null)
        {
            throw new IOException($"'{vm.Name}' is not running; start it with: sudo microvm start {vm.Name}");
        }
        if (vm.DeclarationFile("booted") is { } file)
        {
            return VmControlSession.Read(result, file) is var (config, links) ? Known(vm.Name.Value, config, GuestSshWay.Of(config, links), vm.Path, SocketHolders.Of(file, config.User)) : null;
        }
        return Known(vm.Name.Value, null, GuestSshWay.Of(Fact(vm, "hypervisor"), Fact(vm, "vsock-cid")), vm.Path, SocketHolders.Ours);
    }

    private static (string, GuestSshWay, string, SocketHolders)? Known(string name, MicrovmConfig? vm, GuestSshWay? way, string folder, SocketHolders holders)
    {
        way ??= GuestSshWay.OfAddress(name, vm);
        if (way is null)
        {
            Console.Error.WriteLine($"microvm: '{name}' has no vsock, and forwards no port to port {GuestSshWay.Port} of its guest: set microvm.vsock.cid, a number from 3 up (and in a NixOS guest microvm.vsock.ssh.enable = true), or with an interface of type \"user\" microvm.forwardPorts = [ {{ host.port = 2222; guest.port = 22; }} ], or join an interface to a network (network = \"default\") and bring it up; a guest with an address of somebody else is reached with: ssh root@ADDRESS");
            return null;
        }
        return (name, way, folder, holders);
    }

    private static string? Fact(VmDirectory vm, string name) => vm.Steer($"booted/share/microvm/{name}") is var path && File.Exists(path) ? File.ReadAllText(path).Trim() : null;

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);
}
