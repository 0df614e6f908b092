using Microvm.Declaration;

namespace Microvm.Hypervisors;

/// <summary>One hypervisor: which attachments it accepts, and how it is started. Pure: nothing is looked up or started.</summary>
public interface IHypervisor
{
    /// <summary>The name of <c>microvm.hypervisor</c>.</summary>
    string Name { get; }

    /// <summary>The attachments it accepts for a type, best first; none where it can't serve the type.</summary>
    IReadOnlyList<AttachmentKind> Accepts(InterfaceType type);

    /// <summary>Whether more than one queue pair can be used over that attachment.</summary>
    bool MultiQueue(AttachmentKind kind);

    /// <summary>Why it can't run this VM, or null.</summary>
    string? Refuse(MicrovmConfig vm);

    /// <summary>The command line and what goes with it. Call it only where <see cref="Refuse"/> has nothing to say.</summary>
    Invocation Render(MicrovmConfig vm, IReadOnlyList<Attachment> attachments, HostFacts host);
}

/// <summary>The hypervisors that are known, and the choice of attachments.</summary>
public static class HypervisorTable
{
    public static IReadOnlyList<IHypervisor> All { get; } = [new Qemu()];

    public static IHypervisor? Find(string name) => All.FirstOrDefault(h => h.Name == name);

    /// <summary>The attachment of each interface, or why there is none.</summary>
    public static IReadOnlyList<Attachment> Attach(MicrovmConfig vm, out string? refusal)
    {
        refusal = null;
        var attachments = new List<Attachment>();
        var hypervisor = Find(vm.Hypervisor);
        foreach (var i in vm.Interfaces)
        {
            var kinds = hypervisor?.Accepts(i.Type) ?? [];
            if (kinds.Count == 0)
            {
                refusal = $"'{vm.Name}': {vm.Hypervisor} can't be given '{i.Id}' of type {i.Type.ToString().ToLowerInvariant()} by this version";
                continue;
            }
            attachments.Add(new(vm.Name, i, kinds[0], hypervisor!.MultiQueue(kinds[0]) ? vm.Vcpu : 1));
        }
        return attachments;
    }
}
