using System.Text.Json.Serialization;

namespace Microvm.Cli;

/// <summary>One line of <c>microvm watch --json</c>.</summary>
internal sealed record WatchReport(DateTime Time, string Event, string? Vm, string? Id, string? Action, string Text);

/// <summary>A line each, so not indented.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(WatchReport))]
internal sealed partial class WatchReports : JsonSerializerContext;
