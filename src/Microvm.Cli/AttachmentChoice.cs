using Microvm.Declaration;
using Microvm.Hypervisors;

namespace Microvm.Cli;

/// <summary>The user's own choice of an attachment: <c>--attachment ID=KIND</c>.</summary>
internal static class AttachmentChoice
{
    private static readonly Dictionary<string, AttachmentKind> s_kinds = AttachmentFacts.All.Where(f => f.IsChoice).ToDictionary(f => f.Word, f => f.Kind);

    internal static Dictionary<string, AttachmentKind> Parse(IEnumerable<string> choices)
    {
        var chosen = new Dictionary<string, AttachmentKind>();
        foreach (var choice in choices)
        {
            var parts = choice.Split('=', 2);
            if (parts.Length != 2 || !s_kinds.TryGetValue(parts[1], out var kind))
            {
                throw new UsageException($"--attachment takes ID=KIND with one of {string.Join(", ", s_kinds.Keys)}; this is '{Printable.Of(choice)}'");
            }
            chosen[parts[0]] = kind;
        }
        return chosen;
    }

    /// <exception cref="UsageException">The type and the kind don't go together, or the hypervisor can't.</exception>
    internal static Attachment Apply(MicrovmConfig vm, Attachment attachment, AttachmentKind kind)
    {
        var type = attachment.Interface.Type;
        var hypervisor = HypervisorTable.Find(vm.Hypervisor)!;
        var able = kind.Facts().NeedsTapByName
            ? hypervisor.Accepts(InterfaceType.Tap).Contains(AttachmentKind.TapByName)
            : hypervisor.Accepts(type).Contains(kind);
        return kind.Facts().Types.Contains(type) && able ? attachment with { Kind = kind, QueuePairs = HypervisorTable.QueuePairs(vm, attachment.Interface, kind) }
            : throw new UsageException($"'{attachment.Interface.Id}' of type {type.Word()} can't be attached by {kind.Text()} to {vm.Hypervisor}");
    }
}
