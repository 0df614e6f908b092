using System.Text.Json;
using Microvm.Declaration;
using Microvm.Host;
using Microvm.Host.Run;
using Microvm.Hypervisors;
using Microvm.Linux;

namespace Microvm.Cli;

/// <summary>What <c>run</c> would do, told instead of done.</summary>
internal static class DryRun
{
    /// <param name="user">Who would be become; null for nobody else.</param>
    /// <param name="faults">Why it would not start.</param>
    internal static StartReport Of(MicrovmConfig vm, IReadOnlyList<Attachment> attachments, Invocation invocation, PosixUser? user, IReadOnlyList<string> faults) => new(
        vm.Name, vm.Hypervisor, user?.Name, faults,
        attachments.FirstOrDefault(a => a.Kind == AttachmentKind.UserNamespace) is { } own ? own.Interface.Id.Value : null,
        [.. invocation.Queues.Index().Select(q => new DescriptorReport(Invocation.FirstDescriptor + q.Index, q.Item.Attachment.Interface.Id.Value, q.Item.Index))],
        [.. vm.Volumes.Where(v => v.AutoCreate && !File.Exists(v.Image)).Select(v => new VolumeReport(v.Image, v.SizeMiB!.Value, v.FsType))],
        vm.PreStart.Trim().Length > 0 ? vm.PreStart : null,
        [.. invocation.Files.Select(f => new FileReport(f.Name, f.Content))],
        invocation.Words, vm.ExtraArgsScript);

    internal static void Print(StartReport report, bool json)
    {
        if (json)
        {
            Console.WriteLine(JsonSerializer.Serialize(report, Reports.Default.StartReport));
            return;
        }
        foreach (var missing in report.Missing)
        {
            Line("missing", Printable.Of(missing, int.MaxValue));
        }
        if (report.User is { } user)
        {
            Line("become", $"user {user}");
        }
        if (report.UserNetwork is { } id)
        {
            Line("enter", $"a user and network namespace in which slirp4netns serves {Printable.Of(id)}");
        }
        foreach (var queue in report.Descriptors)
        {
            Line("open", $"descriptor {queue.Descriptor}: queue {queue.Queue} of {Printable.Of(queue.Interface)}");
        }
        foreach (var volume in report.Volumes)
        {
            Line("make", $"{Shell.Quote(Printable.Of(volume.Image, int.MaxValue))}, {volume.SizeMiB} MiB of {volume.FsType}");
        }
        if (report.PreStart is not null)
        {
            Line("run", "microvm.preStart");
        }
        foreach (var file in report.Files)
        {
            Line("write", Printable.Of(file.Name));
        }
        Line("start", string.Join(' ', report.Command.Select(w => Shell.Quote(Printable.Of(w, int.MaxValue)))));
        if (report.ExtraArgsScript is not null)
        {
            Line("add", "what microvm.extraArgsScript prints");
        }
    }

    private static void Line(string verb, string what) => Console.WriteLine($"{Terminal.Output.Paint(verb == "missing" ? Style.BoldRed : Style.Dim, $"{verb,-8}")} {what}");
}

/// <summary>What a start would do, in this order, after what it lacks.</summary>
/// <param name="User">Whom root would become.</param>
/// <param name="UserNetwork">The interface for which a namespace would be entered.</param>
/// <param name="Command">The hypervisor's words; what <paramref name="ExtraArgsScript"/> prints would follow.</param>
internal sealed record StartReport(string Vm, string Hypervisor, string? User, IReadOnlyList<string> Missing, string? UserNetwork, IReadOnlyList<DescriptorReport> Descriptors,
    IReadOnlyList<VolumeReport> Volumes, string? PreStart, IReadOnlyList<FileReport> Files, IReadOnlyList<string> Command, string? ExtraArgsScript);

internal sealed record DescriptorReport(int Descriptor, string Interface, int Queue);
internal sealed record VolumeReport(string Image, long SizeMiB, string FsType);
internal sealed record FileReport(string Name, string Content);
