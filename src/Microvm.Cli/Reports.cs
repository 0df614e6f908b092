using System.Text.Json.Serialization;

namespace Microvm.Cli;

internal sealed record DiagnosticReport(string Severity, string File, int Line, int Column, string Message);
internal sealed record CheckReport(bool Ok, IReadOnlyList<string> Vms, IReadOnlyList<string> NotLookedAt, IReadOnlyList<DiagnosticReport> Diagnostics, IReadOnlyList<ProgramReport> Runs);
internal sealed record StepReport(string Action, string Vm, string Id, string Reason);
internal sealed record PlanReport(bool Changes, IReadOnlyList<StepReport> Steps, IReadOnlyList<string> Refusals, IReadOnlyList<RefusalReport> Refused,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<ProgramReport>? Runs = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<NetworkStepReport>? Networks = null);

/// <summary>What is done to one of the things that a declared network is made of.</summary>
internal sealed record NetworkStepReport(string Action, string Network, string Name, string Reason);

/// <summary>What a declaration has run: as whom, and with which rights.</summary>
internal sealed record ProgramReport(string Vm, string What, string As, string With);

internal sealed record RefusalReport(string Kind, string Vm, string Link, string Text);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(CheckReport))]
[JsonSerializable(typeof(Commands.ReachReport))]
[JsonSerializable(typeof(PlanReport))]
[JsonSerializable(typeof(LinkReport[]))]
[JsonSerializable(typeof(StartReport))]
[JsonSerializable(typeof(string[]))]
[JsonSerializable(typeof(Dictionary<string, string>))]
internal sealed partial class Reports : JsonSerializerContext;
