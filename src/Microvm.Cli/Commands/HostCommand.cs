using System.CommandLine;
using System.Text.Json;
using Microvm.Declaration;
using Microvm.Host;
using Microvm.Host.GuestConsole;
using Microvm.Host.Install;
using Microvm.Host.Systemd;
using Microvm.Linux;
using Microvm.Network.Networks;

namespace Microvm.Cli.Commands;

internal static class HostCommand
{
    private static readonly Option<string> s_root = new("--root") { Description = "Install below this directory; the running host is not touched", HelpName = "DIR", DefaultValueFactory = _ => "/" };
    private static readonly Option<string> s_prefix = new("--prefix") { Description = "Where lib/systemd and the like are; packages use /usr", HelpName = "DIR", DefaultValueFactory = _ => "/usr/local" };
    private static readonly Option<string?> s_binary = new("--binary") { Description = "The binary that the units call (default: this one, or PREFIX/bin/microvm below a root)", HelpName = "PATH" };
    private static readonly Option<int> s_stop = new("--stop-timeout") { Description = "Seconds that a guest may take to power off before its hypervisor is killed", HelpName = "SECONDS", DefaultValueFactory = _ => 150 };
    private static readonly Option<bool> s_watch = new("--watch") { Description = "Watch the interfaces of every VM while it runs, and repair them; without it, a later install turns that off" };
    private static readonly Option<bool> s_dryRun = new("--dry-run") { Description = "Only print what would be done" };
    private static readonly Argument<string> s_network = new("NETWORK") { Description = "A network that is up" };
    private static readonly Option<int> s_pid = new("--pid") { Description = "The hypervisor", DefaultValueFactory = _ => 0 };

    internal static Command Create()
    {
        var host = new Command("host", "Turn this machine into a host that runs MicroVMs under systemd");
        host.Add(Verb.Define("install", "Write the units, the account and the state directory; running it again changes nothing",
            ["sudo microvm host install", "microvm host install --root pkg --prefix /usr", "sudo microvm host install --watch", "sudo microvm host install --dry-run"], Install,
            s_root, s_prefix, s_binary, s_stop, s_watch, VmHost.State, s_dryRun, CommonOptions.Json));
        host.Add(Verb.Define("uninstall", "Remove exactly what 'install' wrote; VMs and edited files stay",
            ["sudo microvm host uninstall", "sudo microvm host uninstall --dry-run"], Uninstall, s_root, s_prefix, s_dryRun, CommonOptions.Json));
        host.Add(Hidden("verify", r => { Boot.Verify(Vm(r)); return 0; }));
        host.Add(Hidden("set-booted", r => { Boot.SetBooted(Vm(r)); return 0; }));
        host.Add(Hidden("release", r => Boot.Release(Vm(r), VmHost.Binary) ? 0 : 1));
        host.Add(Hidden("stop-guest", r => Boot.StopGuest(Vm(r), r.GetValue(s_pid), t => Console.Error.WriteLine($"microvm: {t}")) ? 0 : 1, s_pid));
        host.Add(Hidden("ready", Ready));
        host.Add(Hidden("console", r => UnitConsole.Run(Vm(r).Steer("current/bin/microvm-run"), t => Console.Error.WriteLine($"microvm: {t}"))));
        host.Add(Hidden("register", Register, s_pid));
        host.Add(Hidden("unregister", r => { Machined.Unregister(Vm(r).Name); return 0; }));
        host.Add(Hidden("pause", Pause));
        var serve = Verb.Define("serve-network", "For a network's unit", ["microvm host serve-network home"], r => { ServiceResource.Become(r.GetValue(s_network)!); return 0; }, s_network);
        serve.Hidden = true;
        host.Add(serve);
        var release = Verb.Define("release-configuration", "For the package: remove microvm's lines from bridge.conf, and its drop-ins", ["microvm host release-configuration"],
            result => { _ = new HostConfiguration("/").Update([], VmHost.StatePath(result)); return 0; }, VmHost.State);
        var move = Verb.Define("move", "For the package: what steers the VMs goes to where only root writes", ["microvm host move"], Move, VmHost.State);
        (release.Hidden, move.Hidden) = (true, true);
        host.Add(move);
        host.Add(release);
        return host;

        static Command Hidden(string name, Func<ParseResult, int> action, params Symbol[] more)
        {
            var command = Verb.Define(name, "For the units", [$"microvm host {name} web"], action, [VmHost.Name, VmHost.State, .. more]);
            command.Hidden = true;
            return command;
        }
    }

    /// <summary>As the VM's user, before its hypervisor: what is told here is why it is not started.</summary>
    private static int Ready(ParseResult result)
    {
        var faults = Boot.NotReady(Vm(result)).ToList();
        faults.ForEach(f => Console.Error.WriteLine($"microvm: {f}"));
        return faults.Count == 0 ? 0 : 1;
    }

    /// <summary>Once a VM's hypervisor was started. The VM runs without a registration too.</summary>
    private static int Register(ParseResult result)
    {
        if (Machined.Register(Vm(result), result.GetValue(s_pid)) is { } why)
        {
            Console.Error.WriteLine($"microvm: note: {why}");
        }
        return 0;
    }

    /// <summary>Before a VM is started again by itself.</summary>
    private static int Pause(ParseResult result)
    {
        var unit = Systemctl.Show([VmName.Parse(result.GetValue(VmHost.Name)!).Unit])[0];
        var pause = Boot.PauseAfter(unit.Restarts, unit.Left > unit.Entered ? unit.Left - unit.Entered : TimeSpan.Zero, UnitState.Now - unit.Left);
        if (pause > TimeSpan.Zero)
        {
            Console.Error.WriteLine($"microvm: it was restarted {unit.Restarts} times without success; next attempt in {pause.TotalSeconds:0} s");
            Thread.Sleep(pause);
        }
        return 0;
    }

    private static VmDirectory Vm(ParseResult result) => VmHost.Directory(result).Of(VmName.Parse(result.GetValue(VmHost.Name)!));

    private static string Prefix(ParseResult result) => result.GetValue(s_prefix) is { } p && p.StartsWith('/') ? p : throw new UsageException("--prefix takes an absolute path");
    private static HostInstaller Installer(ParseResult result) => new(result.GetValue(s_root)!, $"{Prefix(result)}/lib/microvm/installed");
    private static bool IsThisHost(ParseResult result) => Path.GetFullPath(result.GetValue(s_root)!) == "/";

    /// <summary>This host is root's; another root is a directory that a person names.</summary>
    private static IDisposable? AsPerson(ParseResult result) => IsThisHost(result) ? null : NamedFile.AsPerson();

    private static int Install(ParseResult result)
    {
        if (result.GetValue(s_stop) is < 1 or > 86400)
        {
            throw new UsageException("--stop-timeout takes 1 to 86400 seconds");
        }
        var binary = result.GetValue(s_binary) ?? (IsThisHost(result) ? VmHost.Binary : $"{Prefix(result)}/bin/microvm");
        var settings = new UnitSettings(binary, IsThisHost(result) ? VmHost.StatePath(result) : result.GetValue(VmHost.State)!, TimeSpan.FromSeconds(result.GetValue(s_stop)));
        var dryRun = result.GetValue(s_dryRun);
        using var person = AsPerson(result);
        var steps = Installer(result).Install(HostFile.Of(Prefix(result), settings, result.GetValue(s_watch)), dryRun);
        Print(result, steps);
        if (dryRun || !IsThisHost(result))
        {
            return 0;
        }
        var lib = $"{Prefix(result)}/lib";
        foreach (var words in (string[][])[["systemd-sysusers", $"{lib}/sysusers.d/microvm.conf"], ["systemd-tmpfiles", "--create", $"{lib}/tmpfiles.d/microvm.conf"]])
        {
            if (Systemctl.Tool(words) != 0)
            {
                Console.Error.WriteLine($"microvm: {words[0]} failed; the files are installed");
                return 1;
            }
        }
        var left = Move(result);
        VmHost.Synchronise(VmHost.Directory(result));
        if (Reload() != 0)
        {
            return 1;
        }
        if (!result.GetValue(CommonOptions.Json) && VmHost.Directory(result).All().Count == 0)
        {
            Console.WriteLine("this machine is a host of VMs now; next: sudo microvm create NAME --file FILE --autostart; sudo microvm start NAME");
        }
        return left;
    }

    /// <summary>What steers the VMs goes to where only root writes; those that run go on. The others stay as they are, and are told.</summary>
    private static int Move(ParseResult result)
    {
        var left = Earlier.MoveAll(VmHost.Directory(result));
        foreach (var reason in left)
        {
            Console.Error.WriteLine($"microvm: {Printable.Lines(reason)}");
        }
        return left.Count == 0 ? 0 : 1;
    }

    private static int Uninstall(ParseResult result)
    {
        var dryRun = result.GetValue(s_dryRun);
        if (!dryRun && IsThisHost(result))
        {
            // Our lines of bridge.conf and our drop-ins go as well.
            _ = new HostConfiguration("/").Update([], null);
        }
        using var person = AsPerson(result);
        var steps = Installer(result).Uninstall(dryRun);
        Print(result, steps);
        return dryRun || !IsThisHost(result) ? 0 : Reload();
    }

    private static int Reload() => !Systemctl.IsRunning || Systemctl.Run("daemon-reload") == 0 ? 0 : 1;

    private static void Print(ParseResult result, IReadOnlyList<InstallStep> steps)
    {
        if (result.GetValue(CommonOptions.Json))
        {
            Console.WriteLine(JsonSerializer.Serialize([.. steps.Select(s => new InstallStepReport(s.Action, s.Path, s.Reason))], VmReports.Default.InstallStepReportArray));
            return;
        }
        var told = steps.Where(s => s.Action != "keep").ToList();
        var root = Path.GetFullPath(result.GetValue(s_root)!).TrimEnd('/');
        told.ForEach(s => Console.WriteLine($"{s.Action,-7}{root}{s.Path}{(s.Reason is { } r ? $": {r}" : "")}"));
        if (told.Count == 0)
        {
            Console.WriteLine("nothing to do");
        }
    }
}
