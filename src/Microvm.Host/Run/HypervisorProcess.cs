using System.ComponentModel;
using System.Diagnostics;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Microvm.Declaration;
using Microvm.Host.Control;
using Microvm.Hypervisors;
using Microvm.Linux;

namespace Microvm.Host.Run;

/// <summary>What a hypervisor wants of the process and the directory that it is started in, besides its command line.</summary>
public static partial class HypervisorProcess
{
    private const string UsualJailRoot = "/var/empty";
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    /// <summary>Completes the facts by what only the hypervisor's program and this directory can tell. It is started for that where its
    /// version decides, so call this as whom the hypervisor will run.</summary>
    /// <param name="program">The program, or its name on the PATH.</param>
    public static HostFacts Look(MicrovmConfig vm, IReadOnlyList<Attachment> attachments, string program, HostFacts host)
    {
        var versionDecides = vm.Hypervisor == "firecracker" || (vm.Hypervisor == "alioth" && attachments.Any(a => a.Kind == AttachmentKind.MacvtapPath));
        var built = vm.Hypervisor == "stratovirt" ? Holds(program, s_features) : null;
        return host with
        {
            Version = versionDecides ? VersionOf(program) : null,
            VirtioRng = built is null || built[0],
            VhostNet = built is null || built[1],
            VhostVsock = built is null || built[2],
            JailRoot = HypervisorTable.Find(vm.Hypervisor)!.Facts.NeedsJailRoot && !IsEmpty(UsualJailRoot) ? Path.GetFullPath(JailRoot) : null,
        };
    }

    /// <summary>The empty directory for a jail, in the working directory, where /var/empty is none.</summary>
    internal const string JailRoot = ".microvm-empty";

    /// <summary>Why it could not start, each with the way out.</summary>
    public static IEnumerable<string> Faults(MicrovmConfig vm, IReadOnlyList<Attachment> attachments, Invocation invocation, HostFacts host)
    {
        if (ProgramFault(vm, invocation.Words[0]) is { } absent)
        {
            yield return absent;
        }
        // What its own lines may still make is not missed.
        foreach (var (_, missing) in vm.PreStart.Trim().Length > 0 ? [] : BootFiles.Missing(vm, Environment.CurrentDirectory))
        {
            yield return missing;
        }
        if (KernelImage.Fault(vm, host, KernelImage.Read) is { } kernel)
        {
            yield return kernel;
        }
        // Its NetSpec has had the device file since 0.12.
        if (vm.Hypervisor == "alioth" && host.Version < new Version(0, 12) && attachments.FirstOrDefault(a => a.Kind == AttachmentKind.MacvtapPath) is { } macvtap)
        {
            var choice = $"--attachment {Shell.Quote($"{macvtap.Interface.Id}=tap-redirect")}";
            yield return $"Alioth {host.Version} can't open the macvtap '{macvtap.Interface.Id}' (0.12 can); add {choice} to 'microvm up' and 'microvm run'";
        }
        // The control socket is looked at before, where its process is named too.
        foreach (var socket in invocation.Sockets.Where(s => s != vm.Socket))
        {
            if (ControlSocketGuard.IsServed(socket))
            {
                yield return $"somebody listens at {Printable.Of(socket)} already, so this VM seems to run; stop it first, or set another microvm.socket";
            }
        }
    }

    private static string? ProgramFault(MicrovmConfig vm, string program) =>
        program.Contains('/') ? !PosixProcess.IsAbsent(program) ? null : $"there is no {Printable.Of(program, int.MaxValue)}, which is to run '{vm.Name}'; set microvm.{vm.Hypervisor}.package to what has it, or leave that out"
        : SearchPath.Find(program) is null ? $"there is no {program} on the PATH, which is to run '{vm.Name}'; install it, or set microvm.{vm.Hypervisor}.package" : null;

    /// <summary>The last thing before the hypervisor takes the place of this process.</summary>
    /// <param name="tell">Called with what was done with what an earlier run left behind.</param>
    /// <exception cref="LinuxException">There is no pseudo-terminal to be had.</exception>
    public static void Prepare(MicrovmConfig vm, Invocation invocation, HostFacts host, Action<string> tell)
    {
        var facts = HypervisorTable.Find(vm.Hypervisor)!.Facts;
        foreach (var root in ((string?[])[facts.NeedsJailRoot ? vm.Crosvm.PivotRoot : null, host.JailRoot]).OfType<string>())
        {
            HeldFolder.OpenOrMake(Path.GetFullPath(root), mode: 0x16d /* 0555 */).Dispose();
        }
        if (facts.NeedsHome && !(PosixProcess.Variable("HOME") is { Length: > 0 } home && PosixProcess.MayWrite(home)))
        {
            PosixProcess.SetVariable("HOME", Environment.CurrentDirectory);
        }
        foreach (var told in StaleSocket.Clear(invocation))
        {
            tell(told);
        }
        var isForeground = TerminalDevice.IsUsable(TerminalDevice.Input);
        if (facts.KillsItsGroup && !isForeground)
        {
            PosixProcess.LeadGroup();
        }
        if (!isForeground && TerminalDevice.IsTerminal(TerminalDevice.Input))
        {
            tell("another job has the terminal, so nobody can type at the guest's console; what the guest prints comes here");
        }
        if (facts.NeedsTerminal && !isForeground)
        {
            TerminalDevice.GiveInput();
        }
        else if (!isForeground && TerminalDevice.IsTerminal(TerminalDevice.Input))
        {
            // Who sets the terminal of another job is stopped, and all of them would.
            TerminalDevice.LeaveInput();
        }
        // A unit of Type=notify: the hypervisor itself would never say it.
        using var manager = new ServiceNotifier();
        manager.Ready($"{vm.Hypervisor} runs '{vm.Name}'");
    }

    private static bool IsEmpty(string directory)
    {
        try
        {
            return Directory.Exists(directory) && !Directory.EnumerateFileSystemEntries(directory).Any();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>The first version number that a program tells of itself; null where it tells none.</summary>
    private static Version? VersionOf(string program)
    {
        try
        {
            return ProgramAnswer.Of(program, "--version", s_patience) is { } told && Number().Match(told) is { Success: true } match && Version.TryParse(match.Value, out var version) ? version : null;
        }
        catch (Win32Exception)
        {
            // The start tells it.
            return null;
        }
    }

    /// <summary>StratoVirt's features are chosen when it is built, and it has no way to ask. These words are in a program that has virtio_rng
    /// (add_virtio_rng of machine/src/lib.rs), vhost_net and vhost_vsock (virtio/src/vhost/kernel/net.rs and vsock.rs).</summary>
    private static readonly byte[][] s_features = [[.. "Failed to add virtio mmio rng device"u8], [.. "/dev/vhost-net"u8], [.. "/dev/vhost-vsock"u8]];

    /// <summary>What the declaration asks for and the hypervisor here was built without.</summary>
    public static IEnumerable<string> LeftOut(MicrovmConfig vm, IReadOnlyList<Attachment> attachments, HostFacts host)
    {
        if (!host.VhostNet && attachments.FirstOrDefault(a => a.Interface.Vhost) is { } over)
        {
            yield return $"this {vm.Hypervisor} was built without vhost_net, so '{over.Interface.Id}' goes without tap.vhost";
        }
        if (!host.VhostVsock && vm.VsockCid is not null)
        {
            yield return $"this {vm.Hypervisor} was built without vhost_vsock, so the guest has no vsock";
        }
    }

    /// <summary>Which of the words are in a program; all of them, where it can't be read.</summary>
    private static bool[] Holds(string program, byte[][] words)
    {
        var found = new bool[words.Length];
        try
        {
            using var file = File.OpenRead(program.Contains('/') ? program : SearchPath.Find(program) ?? program);
            var window = new byte[1 << 20];
            var longest = words.Max(w => w.Length);
            for (int kept = 0, got; (got = file.Read(window, kept, window.Length - kept)) > 0 && found.Contains(false);)
            {
                var text = window.AsSpan(0, kept + got);
                for (var n = 0; n < words.Length; n++)
                {
                    found[n] |= text.IndexOf(words[n]) >= 0;
                }
                kept = Math.Min(longest, text.Length);
                text[^kept..].CopyTo(window);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Array.Fill(found, true);
        }
        return found;
    }

    [GeneratedRegex(@"[0-9]+\.[0-9]+(\.[0-9]+)?")] private static partial Regex Number();
}
