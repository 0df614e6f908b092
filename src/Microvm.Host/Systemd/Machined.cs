using System.Globalization;
using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Host.Systemd;

/// <summary>The registration of VMs with systemd-machined(8), which machinectl(1) asks; over D-Bus (org.freedesktop.machine1(5)) by busctl(1). The
/// VM's unit calls it at its start and its end, and whatever is said here keeps no VM from running.</summary>
internal static class Machined
{
    private const string Service = "org.freedesktop.machine1", Path = "/org/freedesktop/machine1", Manager = "org.freedesktop.machine1.Manager";

    /// <summary>What a registration says of itself, so that ours is known from others.</summary>
    private const string Registrar = "microvm";

    /// <summary>A machined that hangs must not keep a VM from being started.</summary>
    private const string Patience = "10s";

    /// <summary>Registers a running VM under its name, where its declaration asks for it. What an earlier run of the same unit left is replaced.</summary>
    /// <param name="leader">The hypervisor's process, in the VM's unit.</param>
    /// <returns>Why it is not registered; null where it is, or none is wanted, or the process has ended.</returns>
    internal static string? Register(VmDirectory vm, int leader)
    {
        var config = Started(vm);
        // A runner of microvm.nix has no declaration, but a script where it wants this.
        if (config is null ? !File.Exists(vm.Steer("booted/bin/microvm-register")) : !config.RegistersWithMachined)
        {
            return null;
        }
        if (SearchPath.Find("busctl") is null)
        {
            return Why(vm.Name, "there is no busctl on this host");
        }
        Unregister(vm.Name);
        byte[] id = config?.MachineId is { } uuid && Guid.TryParse(uuid, out var guid) ? guid.ToByteArray(bigEndian: true) : [];
        var links = Links(vm, config).ToList();
        string[] words = ["sayssusai", vm.Name.Value, Text(id.Length), .. id.Select(b => Text(b)), Registrar, "vm", Text(leader), "", Text(links.Count), .. links];
        var (code, _, errors) = Call("RegisterMachineWithNetwork", words);
        return code == 0 || !Directory.Exists($"/proc/{Text(leader)}") ? null : Why(vm.Name, errors);
    }

    /// <summary>Takes the registration of the VM's unit away; that of another machine of this name stays.</summary>
    internal static void Unregister(VmName vm)
    {
        if (SearchPath.Find("busctl") is not null && Unit(vm) == vm.Unit)
        {
            _ = Call("UnregisterMachine", "s", vm.Value);
        }
    }

    /// <summary>The unit that a machine of this name runs in; null where there is no such machine, or no machined.</summary>
    private static string? Unit(VmName vm)
    {
        // It answers: o "/org/freedesktop/machine1/machine/web", and: s "microvm@web.service".
        return Call("GetMachine", "s", vm.Value) is { Code: 0, Output: var found } && Quoted(found) is { } machine
            && Systemctl.Capture("busctl", ["--system", $"--timeout={Patience}", "get-property", "--", Service, machine, $"{Service}.Machine", "Unit"]) is { Code: 0, Output: var unit }
            ? Quoted(unit) : null;
    }

    private static string? Quoted(string answer) => answer.Split('"') is [_, var text, _] ? text : null;

    private static (int Code, string Output, string Errors) Call(string method, params IEnumerable<string> words) =>
        Systemctl.Capture("busctl", ["--system", $"--timeout={Patience}", "call", "--", Service, Path, Manager, method, .. words]);

    private static MicrovmConfig? Started(VmDirectory vm) =>
        vm.DeclarationFile("booted") is { } path && JsonFrontDoor.Read(path, File.ReadAllBytes(path), new()) is { } node ? new DeclarationReader(new()).Read(node) : null;

    /// <summary>The indexes of the VM's links that are there: what machinectl shows as its interfaces.</summary>
    private static IEnumerable<string> Links(VmDirectory vm, MicrovmConfig? config)
    {
        var taps = vm.Steer("booted/share/microvm/tap-interfaces");
        IEnumerable<string> names = config is not null ? config.Interfaces.Where(i => i.Type is InterfaceType.Tap or InterfaceType.Macvtap).Select(i => i.Id.Value)
            : File.Exists(taps) ? File.ReadAllLines(taps).Where(n => InterfaceName.TryParse(n, out _, out _)) : [];
        foreach (var name in names)
        {
            var index = $"/sys/class/net/{name}/ifindex";
            if (File.Exists(index))
            {
                yield return File.ReadAllText(index).Trim();
            }
        }
    }

    private static string Why(VmName vm, string said) =>
        $"'{vm}' is not registered with systemd-machined, and runs without that: "
        + (said.Contains("not provided by any .service", StringComparison.Ordinal) || said.Contains("org.freedesktop.DBus.Error.ServiceUnknown", StringComparison.Ordinal)
            ? "this host has none; install it (Debian: apt install systemd-container), or leave microvm.registerWithMachined out"
            : Printable.Lines(said.Trim()));

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
