using System.CommandLine;
using Microvm.Declaration;
using Microvm.Host;
using Microvm.Hypervisors;
using Microvm.Linux;
using Microvm.Network;

namespace Microvm.Cli;

/// <summary>A VM of this host and a declaration of it.</summary>
internal sealed record HostVm(VmDirectory Directory, MicrovmConfig Config);

/// <summary>The declarations of this host's VMs, as the state directory holds them: what a command without FILE compares the host with.</summary>
/// <param name="state">Null where this network namespace is not the host's.</param>
/// <param name="user">Who is to have the links; null for the user that the units give them to.</param>
internal sealed class HostDeclarations(StateDirectory? state, uint? user = null)
{
    private readonly Dictionary<string, MicrovmConfig?> _read = [];
    private string[] _started = [];

    /// <summary>The VMs that were started and not stopped, by the declaration that they were started from.</summary>
    internal IReadOnlyList<HostVm> Started { get; private set; } = [];

    internal IReadOnlyList<Attachment> Attachments { get; private set; } = [];
    internal IReadOnlyList<DesiredLink> Desired { get; private set; } = [];

    /// <summary>Those that <c>--state-dir</c> asks for; without it those of the host, if this is its network namespace: VMs of the host have no link in another.</summary>
    internal static HostDeclarations Of(ParseResult result)
    {
        var given = result.GetResult(VmHost.State) is { Implicit: false };
        var user = result.GetValue(CommonOptions.User) is { } name ? Account.Of(name, null).User : null;
        return new(given || (result.GetValue(CommonOptions.Netns) is null && NetworkNamespace.IsHosts) ? VmHost.Directory(result) : null, user);
    }

    /// <summary>Every VM of the host: as it was started, else as its next start will have it.</summary>
    internal IReadOnlyList<HostVm> All() => [.. Directories().Select(d => Read(d, d.IsBooted && d.DeclarationFile("booted") is not null ? "booted" : "current")).OfType<HostVm>()];

    /// <summary>Every VM whose runner we keep, with why that is not what was built.</summary>
    internal IReadOnlyList<(string Vm, string? Fault)> Runners() => [.. Directories().Where(d => d.IsMoved).Select(d => (d.Name.Value, RunnerStore.Fault(d)))];

    /// <summary>Looks again at what was started; files that were read stay known.</summary>
    internal void Refresh()
    {
        var started = Directories().Where(d => d.IsBooted && d.DeclarationFile("booted") is not null).ToList();
        string[] now = [.. started.Select(d => d.DeclarationFile("booted")!)];
        if (now.AsSpan().SequenceEqual(_started))
        {
            return;
        }
        _started = now;
        Started = [.. started.Select(d => Read(d, "booted")).OfType<HostVm>()];
        Attachments = [.. Started.SelectMany(v => HypervisorTable.Attach(v.Config, out _))];
        // The units' scripts name this user, whatever the declaration says.
        Desired = [.. DesiredLink.Of(Attachments, user ?? AccountFile.Number(AccountFile.Users, "microvm") ?? 0, null)];
    }

    /// <summary>The command that makes the links of these interfaces as they are declared; null where none of them is of a VM of this host.</summary>
    internal string? Mend(IEnumerable<(string Vm, string Type)> interfaces)
    {
        var scripts = from i in interfaces
                      join v in Started on i.Vm equals v.Config.Name
                      let script = v.Directory.Steer($"booted/bin/{(i.Type == "macvtap" ? "macvtap" : "tap")}-up")
                      where File.Exists(script)
                      select $"sudo {Shell.Quote(script)}";
        return string.Join("; ", scripts.Distinct()) is { Length: > 0 } commands ? commands : null;
    }

    private IReadOnlyList<VmDirectory> Directories()
    {
        try
        {
            return state?.All() ?? [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Not ours to list: then it is as if there were none.
            return [];
        }
    }

    private HostVm? Read(VmDirectory directory, string link)
    {
        if (directory.DeclarationFile(link) is not { } path)
        {
            return null;
        }
        if (!_read.TryGetValue(path, out var config))
        {
            config = _read[path] = Config(path, directory.Name);
        }
        return config is null ? null : new(directory, config);
    }

    // A runner of another version may hold what this one does not take; then its VM is known by its links alone, and that is said.
    private static MicrovmConfig? Config(string path, VmName name)
    {
        var diagnostics = new DiagnosticBag();
        try
        {
            if (BoundedInput.File(path) is { } bytes && JsonFrontDoor.Read(path, bytes, diagnostics) is { } node
                && new DeclarationReader(diagnostics).Read(node) is { } config && HypervisorTable.Find(config.Hypervisor) is not null)
            {
                return config with { Name = name.Value };
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // As where it can't be understood.
        }
        Console.Error.WriteLine($"microvm: {Printable.Of(path)} can't be read as a declaration, so '{name}' is not compared with it; 'microvm update {name}' writes it anew");
        return null;
    }
}
