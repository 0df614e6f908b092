using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Host;

/// <summary>Where a VM's runner comes from.</summary>
public enum VmSource
{
    /// <summary>A declaration file, named in <c>file</c>.</summary>
    File,

    /// <summary>A flake, named in <c>flake</c>, as microvm.nix keeps it.</summary>
    Flake,

    /// <summary>The host's own NixOS configuration (a link <c>toplevel</c>).</summary>
    Toplevel,

    /// <summary>None is named.</summary>
    Unknown,
}

/// <summary>One VM's directory: <c>current</c> is the runner of the next start, <c>booted</c> the one that was started.</summary>
public sealed class VmDirectory
{
    /// <summary>The VM's name.</summary>
    public VmName Name { get; }

    /// <summary>The directory's path.</summary>
    public string Path { get; }

    internal VmDirectory(string stateDirectory, VmName name) => (Name, Path) = (name, System.IO.Path.Combine(stateDirectory, name.Value));

    /// <summary>Whether it is there, as a directory of its own and no link to somewhere else.</summary>
    public bool Exists => Directory.Exists(Path) && new DirectoryInfo(Path).LinkTarget is null;

    /// <summary>What <c>current</c> points to; null before the first build.</summary>
    public string? Current => Target("current");

    /// <summary>What <c>booted</c> points to; null where the VM was not started.</summary>
    public string? Booted => Target("booted");

    /// <summary>What the file or flake is; null for others.</summary>
    public string? Reference => Source switch
    {
        VmSource.File => Read("file"),
        VmSource.Flake => Read("flake"),
        VmSource.Toplevel => Target("toplevel"),
        _ => null,
    };

    /// <summary>Told by what lies in the directory.</summary>
    public VmSource Source =>
        File.Exists(At("file")) ? VmSource.File
        : File.Exists(At("flake")) ? VmSource.Flake
        : Target("toplevel") is not null ? VmSource.Toplevel
        : VmSource.Unknown;

    /// <summary>The hypervisor that the current runner starts.</summary>
    public string? Hypervisor => Read("current/share/microvm/hypervisor");

    /// <summary>What the current runner was built from; null where it is not ours.</summary>
    internal MicrovmConfig? Declaration
    {
        get
        {
            var path = At("current/share/microvm/declaration.json");
            return File.Exists(path) && JsonFrontDoor.Read(path, File.ReadAllBytes(path), new()) is { } node ? new DeclarationReader(new()).Read(node) : null;
        }
    }

    /// <summary>A path inside the directory.</summary>
    public string At(string relative) => System.IO.Path.Combine(Path, relative);

    /// <summary>Makes the directory, for the group that it inherits: the hypervisor makes its sockets and volumes here, and can't
    /// replace what is root's.</summary>
    internal void Create()
    {
        Directory.CreateDirectory(Path);
        File.SetUnixFileMode(Path, UnixFileMode.StickyBit | (UnixFileMode)0b111_111_101);
    }

    /// <summary>Points <c>current</c> or <c>booted</c> at a runner, in one step (rename(2)).</summary>
    public void Point(string link, string target)
    {
        var fresh = At($".{link}.new");
        File.Delete(fresh);
        File.CreateSymbolicLink(fresh, target);
        PosixFile.Replace(fresh, At(link));
    }

    private string? Target(string link)
    {
        var info = new FileInfo(At(link));
        return info.LinkTarget;
    }

    private string? Read(string relative)
    {
        try
        {
            return File.ReadAllText(At(relative)).Trim();
        }
        catch (IOException)
        {
            return null;
        }
    }
}

/// <summary>The directory that holds all VMs' directories.</summary>
public sealed class StateDirectory(string path)
{
    /// <summary>Its path.</summary>
    public string Path { get; } = System.IO.Path.GetFullPath(path);

    /// <summary>The VM of that name, whether it is there or not.</summary>
    public VmDirectory Of(VmName name) => new(Path, name);

    /// <summary>All VMs that have a runner, by name. What else lies here is passed over.</summary>
    public IReadOnlyList<VmDirectory> All() => !Directory.Exists(Path) ? [] :
    [
        .. Directory.EnumerateDirectories(Path).Select(System.IO.Path.GetFileName).Order(StringComparer.Ordinal)
            .Select(n => VmName.TryParse(n!, out var name) ? Of(name) : null).OfType<VmDirectory>().Where(v => v.Exists && v.Current is not null),
    ];
}
