using System.CommandLine;
using System.Text.Json;
using Microvm.Declaration;
using Microvm.Host;
using Microvm.Host.Doctor;
using Microvm.Hypervisors;
using Microvm.Linux;
using Severity = Microvm.Host.Doctor.Severity;

namespace Microvm.Cli.Commands;

internal static class DoctorCommand
{
    private static readonly Option<bool> s_all = new("--all", "-a") { Description = "Also list the checks that passed" };

    internal static Command Create() => Verb.Define(new DocumentedCommand("doctor", "Look for anything that keeps VMs from their network, and print the command that fixes it",
        ["microvm doctor", "sudo microvm doctor vm.nix", "microvm doctor --json vm.nix"])
    {
        Details = ["With declarations it checks what these need; without any, what this host's VMs need. It changes nothing. Problems keep a declared VM from working, warnings may do so, and notes are worth knowing. It assumes that the caller (with sudo: the user who called sudo) runs the VMs."],
        ExitCodes = [("0", "no problem was found"), ("1", "there are problems"), ("2", "wrong usage or declaration")],
    }, Run, CommonOptions.MaybeFiles, s_all, CommonOptions.Json, VmHost.State, CommonOptions.Netns, CommonOptions.User, CommonOptions.Group);

    private static int Run(ParseResult result)
    {
        if (HostSession.Read(result, CommonOptions.MaybeFiles) is not { } vms)
        {
            return 2;
        }
        HostDeclarations? host = null;
        if (result.GetValue(CommonOptions.MaybeFiles) is not { Length: > 0 })
        {
            host = HostDeclarations.Of(result);
            vms = [.. host.All().Select(v => v.Config)];
        }
        IReadOnlyList<Attachment> attachments = [.. vms.SelectMany(v => HypervisorTable.Attach(v, out _))];
        using var survey = host is null ? Survey.Of(result, vms, attachments) : Survey.OfHost(result, host);
        var findings = Checkup.Run(new HostView("/", vms, attachments)
        {
            Person = Caller(),
            Netns = result.GetValue(CommonOptions.Netns),
            Statuses = survey.Take,
            Runners = host?.Runners() ?? [],
            Remake = interfaces => survey.Mend(result, interfaces),
            Restart = vm => host?.Started.Any(v => v.Config.Name == vm) == true ? $"sudo microvm restart {Shell.Quote(vm)}" : null,
        });
        var problems = findings.Count(f => f.Severity == Severity.Problem);
        if (result.GetValue(CommonOptions.Json))
        {
            var report = new DoctorReport(problems == 0, [.. findings.Select(f => new FindingReport(f.Check, f.Severity.Word(), f.Found, f.Why, f.Mend))]);
            Console.WriteLine(JsonSerializer.Serialize(report, DoctorReports.Default.DoctorReport));
        }
        else
        {
            Print(findings, result.GetValue(s_all), Terminal.Output);
        }
        return problems > 0 ? 1 : 0;
    }

    private static void Print(IReadOnlyList<Finding> findings, bool all, Terminal terminal)
    {
        var width = Math.Clamp(terminal.Width ?? 100, 40, 100);
        // Two checks that may not look at the same thing say so once.
        findings = [.. findings.DistinctBy(f => (f.Severity, f.Found))];
        foreach (var finding in findings.OrderByDescending(f => f.Severity).Where(f => all || f.Severity != Severity.Ok))
        {
            Console.WriteLine($"{terminal.Paint(Look(finding.Severity), $"{finding.Severity.Word(),-8}")} {string.Join("\n         ", Reference.HelpScreen.Wrap(Shown(finding.Found), width - 9))}");
            if (finding.Why is { } why)
            {
                Console.WriteLine($"         {terminal.Paint(Style.Dim, string.Join("\n         ", Reference.HelpScreen.Wrap(Shown(why), width - 9)))}");
            }
            if (finding.Mend is { } mend)
            {
                Console.WriteLine($"         {terminal.Paint(Style.Cyan, "$ " + Shown(mend))}");
            }
        }
        int Count(Severity severity) => findings.Count(f => f.Severity == severity);
        var sum = $"{Number(Count(Severity.Problem), "problem")}, {Number(Count(Severity.Warning), "warning")}, {Number(Count(Severity.Note), "note")}; {Count(Severity.Ok)} right{(all || Count(Severity.Ok) == 0 ? "" : " (--all shows them)")}";
        Console.WriteLine(string.Join('\n', Reference.HelpScreen.Wrap(sum, width)));
    }

    private static string Number(int count, string word) => $"{(count == 0 ? "no" : count)} {word}{(count == 1 ? "" : "s")}";
    // A command is never cut, whatever its length; only what a terminal would obey is taken out.
    private static string Shown(string text) => Printable.Of(text, int.MaxValue);
    private static Style Look(Severity severity) => severity switch { Severity.Problem => Style.BoldRed, Severity.Warning => Style.BoldYellow, Severity.Note => Style.Blue, _ => Style.Green };

    private static Person Caller()
    {
        var user = uint.TryParse(Environment.GetEnvironmentVariable("SUDO_UID"), out var sudo) && PosixProcess.EffectiveUser == 0 ? sudo : PosixProcess.EffectiveUser;
        var entry = AccountFile.Entries(AccountFile.Users).FirstOrDefault(f => f[2] == $"{user}");
        var name = entry?[0] ?? $"user {user}";
        var groups = AccountFile.Entries(AccountFile.Groups).Where(f => f[3].Split(',').Contains(name)).Select(f => f[2]);
        return new(name, user, [.. groups.Append(entry?[3] ?? "").Select(g => uint.TryParse(g, out var id) ? id : (uint?)null).OfType<uint>()]);
    }
}

internal sealed record FindingReport(string Check, string Severity, string Found, string? Why, string? Mend);
internal sealed record DoctorReport(bool Ok, IReadOnlyList<FindingReport> Findings);

[System.Text.Json.Serialization.JsonSourceGenerationOptions(PropertyNamingPolicy = System.Text.Json.Serialization.JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[System.Text.Json.Serialization.JsonSerializable(typeof(DoctorReport))]
internal sealed partial class DoctorReports : System.Text.Json.Serialization.JsonSerializerContext;
