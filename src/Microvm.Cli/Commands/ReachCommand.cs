using System.CommandLine;
using System.Text.Json;
using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network.Reach;

namespace Microvm.Cli.Commands;

internal static class ReachCommand
{
    private static readonly Argument<string> s_from = new("FROM") { Description = "A VM, VM/INTERFACE, host, internet, or an address" };
    private static readonly Argument<string> s_to = new("TO") { Description = "Likewise" };
    private static readonly Option<int?> s_port = new("--port") { Description = "A port of TO, for what forwarded ports let through", HelpName = "PORT" };
    private static readonly Option<string> s_proto = new Option<string>("--proto") { Description = "The port's protocol", HelpName = "tcp|udp", DefaultValueFactory = _ => "tcp" }.AcceptOnlyFromAmong("tcp", "udp");

    internal static Command Create() => Verb.Define(new DocumentedCommand("reach", "Tell whether frames get from one VM to another, to the host or outside, and what decides it",
        ["microvm reach web db", "microvm reach web/vm-web internet", "microvm reach internet web --port 80", "sudo microvm reach --json host web vm.nix"])
    {
        Details =
        [
            "The answer comes from the declarations and from the kernel as it is now: links, bridges and their ports, modes of macvtaps, routes, the host's settings, and, for root, the firewall. Nothing is sent. Without FILE the declarations are those of this host's VMs.",
            "What the guests themselves do, and what lies beyond the host, is no part of the answer. Both ways count: the answer has to come back too.",
        ],
        ExitCodes = [("0", "they get there"), ("1", "they don't, or what decides it is not known here"), ("2", "wrong usage, or no such VM")],
    }, Run, s_from, s_to, CommonOptions.MaybeFiles, s_port, s_proto, CommonOptions.Json, VmHost.State, CommonOptions.Netns);

    private static int Run(ParseResult result)
    {
        var port = result.GetValue(s_port);
        if (port is < 1 or > 65535)
        {
            throw new UsageException("--port takes a number from 1 to 65535");
        }
        if (HostSession.Read(result, CommonOptions.MaybeFiles) is not { } declared)
        {
            return 2;
        }
        var vms = result.GetValue(CommonOptions.MaybeFiles) is { Length: > 0 } ? declared : [.. HostDeclarations.Of(result).All().Select(v => v.Config)];
        using var route = new RouteSocket();
        var scene = ReachScene.Read(route, vms);
        var from = ReachEnd.Of(result.GetValue(s_from)!, scene, out var fault);
        var to = ReachEnd.Of(result.GetValue(s_to)!, scene, out var other);
        if ((fault ?? other) is { } wrong)
        {
            Console.Error.WriteLine($"microvm: {wrong}");
            return 2;
        }
        var answer = new Ways(scene, port, result.GetValue(s_proto)!).Between(from, to);
        if (result.GetValue(CommonOptions.Json))
        {
            Console.WriteLine(JsonSerializer.Serialize(new ReachReport(result.GetValue(s_from)!, result.GetValue(s_to)!, port, port is null ? null : result.GetValue(s_proto)!, answer.Verdict.Word(), scene.Firewall is not null,
                Step(answer.Decides), [.. answer.Steps.Select(Step)]), Reports.Default.ReachReport));
        }
        else
        {
            Print(result, answer, port);
            if (scene.Firewall is null)
            {
                Console.Error.WriteLine("microvm: note: the firewall's rules are told to root alone, and were not looked at: sudo microvm reach");
            }
        }
        return answer.Verdict == ReachVerdict.Yes ? 0 : 1;
    }

    private static void Print(ParseResult result, ReachAnswer answer, int? port)
    {
        var (from, to) = (Printable.Of(result.GetValue(s_from)!), Printable.Of(result.GetValue(s_to)!) + (port is null ? "" : $", {result.GetValue(s_proto)} port {port},"));
        Console.WriteLine(answer.Verdict switch
        {
            ReachVerdict.Yes => Terminal.Output.Paint(Style.Green, $"{from} reaches {to.TrimEnd(',')}"),
            ReachVerdict.No => Terminal.Output.Paint(Style.Red, $"{from} does not reach {to.TrimEnd(',')}"),
            ReachVerdict.Unknown => Terminal.Output.Paint(Style.Yellow, $"whether {from} reaches {to} is not known here"),
            _ => throw new InvalidOperationException(),
        });
        foreach (var step in answer.Steps)
        {
            Console.WriteLine($"  {(step == answer.Decides ? "decides: " : "")}{Printable.Of(step.Text, int.MaxValue)} [{step.Rule.Word()}]");
        }
    }

    private static ReachStepReport Step(ReachStep step) => new(step.Rule.Word(), step.Verdict.Word(), step.Text);
}

/// <summary>An answer of <c>microvm reach --json</c>.</summary>
internal sealed record ReachReport(string From, string To, int? Port, string? Proto, string Reachable, bool FirewallRead, ReachStepReport Decides, ReachStepReport[] Steps);

/// <summary>One thing on the way.</summary>
internal sealed record ReachStepReport(string Rule, string Verdict, string Text);
