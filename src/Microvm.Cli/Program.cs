using System.CommandLine;
using System.Text.Json;
using Microvm.Cli;
using Microvm.Declaration;
using Microvm.Host;
using Microvm.Hypervisors;
using Microvm.Linux;
using Microvm.Network;

return CommandLine.Run(args);

namespace Microvm.Cli
{
    /// <summary>The commands. Exit codes: 0 done, 1 failed, 2 wrong usage or declaration.</summary>
    internal static class CommandLine
    {
        private static readonly Argument<string[]> s_files = new("FILE") { Description = "Declarations: .nix files, or JSON (- for standard input)", Arity = ArgumentArity.OneOrMore };
        private static readonly Argument<string[]> s_maybeFiles = new("FILE") { Description = "Declarations; without any, all links that are ours", Arity = ArgumentArity.ZeroOrMore };
        private static readonly Option<bool> s_json = new("--json") { Description = "Print JSON for scripts" };
        private static readonly Option<string?> s_netns = new("--netns") { Description = "Work in this named network namespace", HelpName = "NAME" };
        private static readonly Option<string?> s_user = new("--user") { Description = "Who may open the taps (default: the caller behind sudo, else the user microvm)", HelpName = "USER" };
        private static readonly Option<string?> s_group = new("--group") { Description = "Which group may open the taps", HelpName = "GROUP" };

        internal static int Run(string[] args)
        {
            var root = new RootCommand("The network interfaces of MicroVMs: declared, checked, made and taken down.\n\nExamples:\n  microvm check vm.nix\n  microvm plan vm.nix\n  sudo microvm up vm.nix\n  sudo microvm down vm.nix")
            {
                Command("check", "Check declarations; prints every finding as file:line:column", Check, s_files, s_json),
                Command("plan", "Show what 'up' would change on the host", Plan, s_files, s_json, s_netns, s_user, s_group),
                Command("up", "Make the declared interfaces, all or nothing", Up, s_files, s_json, s_netns, s_user, s_group),
                Command("down", "Delete the interfaces of the declared VMs", Down, s_files, s_json, s_netns),
                Command("command", "Print the hypervisor's command line (--json: an array)", Words, s_files, s_json),
                Command("run", "Start the VM in the place of this process", Start, s_files, s_netns),
                Command("status", "Tell the state of declared interfaces, or of all that are ours", Status, s_maybeFiles, s_json, s_netns, s_user, s_group),
            };
            var parsed = root.Parse(args);
            if (parsed.Errors.Count > 0)
            {
                foreach (var error in parsed.Errors)
                {
                    Console.Error.WriteLine($"microvm: {Printable.Of(error.Message)}");
                }
                Console.Error.WriteLine("Try 'microvm --help'.");
                return 2;
            }
            return parsed.Invoke();
        }

        private static Command Command(string name, string description, Func<ParseResult, int> action, Argument<string[]> files, params Option[] options)
        {
            var command = new Command(name, description) { files };
            foreach (var option in options)
            {
                command.Add(option);
            }
            command.SetAction(result =>
            {
                try
                {
                    return action(result);
                }
                catch (LinuxException e)
                {
                    var hint = e.Errno is 1 or 13 ? "; this needs CAP_NET_ADMIN: run it with sudo" : "";
                    Console.Error.WriteLine($"microvm: {e.Message}{hint}");
                    return 1;
                }
                catch (Exception e) when (e is UsageException or ArgumentException)
                {
                    Console.Error.WriteLine($"microvm: {e.Message}");
                    return 2;
                }
            });
            return command;
        }

        private static IReadOnlyList<MicrovmConfig>? Read(ParseResult result, Argument<string[]> files, bool quiet = false)
        {
            var diagnostics = new DiagnosticBag();
            var vms = Declarations.Read(result.GetValue(files) ?? [], Console.In, diagnostics);
            if (!quiet)
            {
                foreach (var diagnostic in diagnostics.All)
                {
                    Console.Error.WriteLine(diagnostic);
                }
            }
            return diagnostics.HasErrors ? null : vms;
        }

        private static int Check(ParseResult result)
        {
            var diagnostics = new DiagnosticBag();
            var vms = Declarations.Read(result.GetValue(s_files)!, Console.In, diagnostics);
            if (result.GetValue(s_json))
            {
                var report = new CheckReport(!diagnostics.HasErrors, [.. vms.Select(v => v.Name)],
                    [.. diagnostics.All.Select(d => new DiagnosticReport(d.Severity == Severity.Error ? "error" : "warning", d.At.File, d.At.Line, d.At.Column, d.Message))]);
                Console.WriteLine(JsonSerializer.Serialize(report, Reports.Default.CheckReport));
            }
            else
            {
                foreach (var diagnostic in diagnostics.All)
                {
                    Console.WriteLine(diagnostic);
                }
                if (!diagnostics.HasErrors)
                {
                    Console.WriteLine($"{vms.Count} VM{(vms.Count == 1 ? "" : "s")}, {vms.Sum(v => v.Interfaces.Count)} interfaces: all right");
                }
            }
            return diagnostics.HasErrors ? 2 : 0;
        }

        private static RouteSocket Open(ParseResult result)
        {
            if (result.GetValue(s_netns) is { } netns)
            {
                NetworkNamespace.Enter(netns);
            }
            return new RouteSocket();
        }

        private static List<DesiredLink> Desired(ParseResult result, IReadOnlyList<MicrovmConfig> vms)
        {
            var (user, group) = Account.Of(result.GetValue(s_user), result.GetValue(s_group));
            return [.. vms.SelectMany(vm => DesiredLink.Of(vm, user, group))];
        }

        private static int Plan(ParseResult result)
        {
            if (Read(result, s_files) is not { } vms)
            {
                return 2;
            }
            using var route = Open(result);
            var plan = Network.Plan.ForUp(Desired(result, vms), route.Links());
            Print(result, plan, done: false);
            return plan.Refusals.Count > 0 ? 1 : 0;
        }

        private static int Up(ParseResult result)
        {
            if (Read(result, s_files) is not { } vms)
            {
                return 2;
            }
            // What this version cannot make is refused before anything is made.
            if (vms.SelectMany(v => v.Interfaces).FirstOrDefault(i => i.Type is InterfaceType.Macvtap or InterfaceType.Bridge) is { } other)
            {
                Console.Error.WriteLine($"{other.At}: error: 'up' makes interfaces of type tap; '{other.Id}' is of type {other.Type.ToString().ToLowerInvariant()}, which this version checks but does not make");
                return 2;
            }
            using var route = Open(result);
            var desired = Desired(result, vms);
            var plan = Network.Plan.ForUp(desired, route.Links());
            if (plan.Refusals.Count == 0)
            {
                new Applier(route).Apply(plan);
                if (plan.HasChanges && Network.Plan.ForUp(desired, route.Links()) is { HasChanges: true } left)
                {
                    var step = left.Steps.First(s => s.Kind != StepKind.Keep);
                    Console.Error.WriteLine($"microvm: after 'up', '{step.Name}' is not as declared: {step.Reason}");
                    return 1;
                }
            }
            Print(result, plan, done: true);
            return plan.Refusals.Count > 0 ? 1 : 0;
        }

        private static int Down(ParseResult result)
        {
            if (Read(result, s_files) is not { } vms)
            {
                return 2;
            }
            using var route = Open(result);
            var plan = Network.Plan.ForDown([.. vms.Select(v => v.Name)], route.Links());
            new Applier(route).Apply(plan);
            Print(result, plan, done: true);
            return 0;
        }

        private static int Status(ParseResult result)
        {
            if (Read(result, s_maybeFiles) is not { } vms)
            {
                return 2;
            }
            using var route = Open(result);
            var links = route.Links();
            var desired = Desired(result, vms);
            var plan = Network.Plan.ForUp(desired, links);
            var names = result.GetValue(s_maybeFiles) is { Length: > 0 }
                ? desired.Select(d => (d.Vm, d.Name))
                : links.Where(l => Ownership.Vm(l.Alias) is not null).Select(l => (Vm: Ownership.Vm(l.Alias)!, l.Name));
            var rows = names.Select(n =>
            {
                var link = links.FirstOrDefault(l => l.Name == n.Name);
                var state = link is null ? "missing" : Ownership.Vm(link.Alias) != n.Vm ? "foreign"
                    : plan.Steps.Any(s => s.Name == n.Name && s.Kind != StepKind.Keep) ? "drifted" : link.Up ? "up" : "down";
                return new LinkReport(n.Vm, n.Name, state, link?.Index, link?.Tun?.MultiQueue ?? false, link?.Tun?.Owner, link?.Tun?.Group,
                    link?.Master is { } m ? links.FirstOrDefault(l => l.Index == m)?.Name : null);
            }).ToArray();
            if (result.GetValue(s_json))
            {
                Console.WriteLine(JsonSerializer.Serialize(rows, Reports.Default.LinkReportArray));
            }
            else
            {
                Console.WriteLine($"{"VM",-20} {"INTERFACE",-15} {"STATE",-8} {"QUEUES",-6} BRIDGE");
                foreach (var row in rows)
                {
                    Console.WriteLine($"{row.Vm,-20} {row.Id,-15} {row.State,-8} {(row.MultiQueue ? "multi" : "one"),-6} {row.Bridge ?? "-"}");
                }
            }
            return 0;
        }

        private static int Words(ParseResult result)
        {
            if (Read(result, s_files) is not { } vms)
            {
                return 2;
            }
            if (Refused(vms))
            {
                return 2;
            }
            string[][] lines = [.. vms.Select(vm => Line(vm, Accelerator.KvmUsable()))];
            foreach (var words in lines)
            {
                Console.WriteLine(result.GetValue(s_json) ? JsonSerializer.Serialize(words, Reports.Default.StringArray) : string.Join(' ', words.Select(Shell.Quote)));
            }
            return 0;
        }

        private static bool Refused(IReadOnlyList<MicrovmConfig> vms)
        {
            foreach (var vm in vms)
            {
                if ((vm.Hypervisor != "qemu" ? $"command lines for {vm.Hypervisor} are not rendered by this version" : Qemu.Refuse(vm)) is { } why)
                {
                    Console.Error.WriteLine($"microvm: '{vm.Name}': {why}");
                    return true;
                }
            }
            return false;
        }

        private static string[] Line(MicrovmConfig vm, bool kvm) => ["qemu-system-x86_64", .. Qemu.Arguments(vm, new HostFacts(kvm))];

        private static int Start(ParseResult result)
        {
            var files = result.GetValue(s_files)!;
            if (files.Length != 1)
            {
                throw new UsageException("'run' takes one declaration; start each VM by its own 'run'");
            }
            if (Read(result, s_files) is not { } vms || Refused(vms))
            {
                return 2;
            }
            var vm = vms[0];
            using (var route = Open(result))
            {
                var links = route.Links().ToDictionary(l => l.Name);
                var faults = DesiredLink.Of(vm, null, null).Select(d => Preflight.Fault(d, links.GetValueOrDefault(d.Name), PosixProcess.EffectiveUser)).OfType<string>().ToList();
                if (faults.Count > 0)
                {
                    faults.ForEach(f => Console.Error.WriteLine($"microvm: {f}: sudo microvm up {Shell.Quote(files[0])}"));
                    return 1;
                }
            }
            var kvm = Accelerator.KvmUsable();
            Console.Error.WriteLine(kvm ? "microvm: running on KVM" : "microvm: KVM can't be used here; running on TCG, which is slower");
            PosixProcess.Exec(Line(vm, kvm));
            return 1;
        }

        private static void Print(ParseResult result, Plan plan, bool done)
        {
            foreach (var refusal in plan.Refusals)
            {
                Console.Error.WriteLine($"microvm: {refusal}");
            }
            if (result.GetValue(s_json))
            {
                var report = new PlanReport(plan.HasChanges, [.. plan.Steps.Select(s => new StepReport(s.Kind.ToString().ToLowerInvariant(), s.Vm, s.Name, s.Reason))], plan.Refusals);
                Console.WriteLine(JsonSerializer.Serialize(report, Reports.Default.PlanReport));
                return;
            }
            foreach (var step in plan.Steps)
            {
                Console.WriteLine($"{step.Kind.ToString().ToLowerInvariant(),-8} {step.Name,-15} of {step.Vm}: {step.Reason}");
            }
            if (plan.Refusals.Count > 0)
            {
                Console.WriteLine("nothing was changed");
            }
            else if (!plan.HasChanges)
            {
                Console.WriteLine("nothing to do");
            }
        }
    }
}
