using Microvm.Declaration;
using Microvm.Host.Doctor;

namespace Microvm.Host.Run;

/// <summary>qemu-bridge-helper before QEMU starts it: where it is, and whether it could do its work.</summary>
public static class BridgeHelperProgram
{
    /// <summary>The helper at its usual places, or null.</summary>
    public static string? Find() => BridgeHelper.Places.FirstOrDefault(File.Exists);

    /// <summary>Why the helper could not attach to one of the bridges, with the command that mends it.</summary>
    /// <param name="path">The helper; null for the one at its usual places.</param>
    /// <param name="user">As whom it will be started.</param>
    public static IEnumerable<string> Faults(IReadOnlyList<Attachment> attachments, string? path, uint user) =>
        new BridgeHelper { Path = path }.Look(new HostView("/", [], attachments) { Person = new($"user {user}", user, []) })
            .Where(f => f.Severity == Doctor.Severity.Problem)
            .Select(f => $"{f.Found}{(f.Why is null ? "" : $": {f.Why}")}; fix it with: {f.Mend}");
}
