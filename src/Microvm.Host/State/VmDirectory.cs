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

/// <summary>The sources as they are written in JSON. Scripts rely on these words; they never change.</summary>
internal static class VmSourceWords
{
    internal static string Word(this VmSource source) => source switch
    {
        VmSource.File => "file",
        VmSource.Flake => "flake",
        VmSource.Toplevel => "toplevel",
        VmSource.Unknown => "unknown",
        _ => throw new ArgumentOutOfRangeException(nameof(source), source, "no such source of a VM"),
    };
}

/// <summary>One VM on this host. What steers it, root's own, is in <c>.host/NAME</c> of the state directory: <c>current</c> is the runner of the
/// next start, <c>booted</c> the one that was started. Its data, where its hypervisor may write, is in <c>NAME</c>.</summary>
public sealed class VmDirectory
{
    private readonly StateDirectory _state;

    /// <summary>The VM's name.</summary>
    public VmName Name { get; }

    /// <summary>The directory of its data: the hypervisor's current directory.</summary>
    public string Path { get; }

    /// <summary>The directory of what steers it.</summary>
    public string Steering { get; }

    internal VmDirectory(StateDirectory state, VmName name) =>
        (_state, Name, Path, Steering) = (state, name, System.IO.Path.Combine(state.Path, name.Value), System.IO.Path.Combine(state.Path, StateDirectory.Host, name.Value));

    /// <summary>Whether it was made here; its runner may not be built yet.</summary>
    public bool Exists => IsMoved || Earlier.Current(this) is not null;

    /// <summary>Whether what steers it is out of the reach of its hypervisor. Earlier versions, and microvm.nix, kept it in the VM's own directory.</summary>
    public bool IsMoved => Directory.Exists(Steering);

    /// <summary>What <c>current</c> points to; null before the first build.</summary>
    public string? Current => IsMoved ? Target("current") : Earlier.Current(this);

    /// <summary>What <c>booted</c> points to; null where the VM was not started.</summary>
    public string? Booted => Target("booted");

    /// <summary>Whether the VM was started since the host was, and not stopped. After a power cut <c>booted</c> still points to what ran before.</summary>
    public bool IsBooted => new FileInfo(Steer("booted")) is { LinkTarget: not null } link
        && link.LastWriteTimeUtc >= DateTime.UtcNow - TimeSpan.FromMilliseconds(Environment.TickCount64) - TimeSpan.FromSeconds(1);

    /// <summary>The declaration of a runner that we built; null where it is another's (microvm.nix's own has none).</summary>
    /// <param name="link"><c>current</c> or <c>booted</c>.</param>
    public string? DeclarationFile(string link) => Target(link) is { } target && Steer($"{target}/share/microvm/declaration.json") is var path && File.Exists(path) ? path : null;

    /// <summary>What the file or flake is; null for others.</summary>
    public string? Reference => Source switch
    {
        VmSource.File => Read("file"),
        VmSource.Flake => Read("flake"),
        VmSource.Toplevel => Target("toplevel"),
        _ => null,
    };

    /// <summary>What its declaration is evaluated with besides (<c>--arg</c>, <c>--argstr</c>), one a line as it was noted.</summary>
    internal IReadOnlyList<string> Arguments => File.Exists(Steer("arguments")) ? File.ReadAllLines(Steer("arguments")) : [];

    /// <summary>Told by what steers it.</summary>
    public VmSource Source =>
        File.Exists(Steer("file")) ? VmSource.File
        : File.Exists(Steer("flake")) ? VmSource.Flake
        : Target("toplevel") is not null ? VmSource.Toplevel
        : VmSource.Unknown;

    /// <summary>The hypervisor that the current runner starts.</summary>
    public string? Hypervisor => Read("current/share/microvm/hypervisor");

    /// <summary>What the current runner was built from; null where it is not ours.</summary>
    internal MicrovmConfig? Declaration
    {
        get
        {
            var path = Steer("current/share/microvm/declaration.json");
            return File.Exists(path) && JsonFrontDoor.Read(path, File.ReadAllBytes(path), new()) is { } node ? new DeclarationReader(new()).Read(node) : null;
        }
    }

    /// <summary>A path among what steers it. Only root writes there, so that a path may be trusted.</summary>
    public string Steer(string relative) => System.IO.Path.Combine(Steering, relative);

    /// <summary>Makes both directories where they are not there: what steers first, so that a VM made in part is known for ours.</summary>
    /// <exception cref="IOException">A directory of that name is there, and was not made for a VM.</exception>
    internal void Create()
    {
        using var state = _state.Hold();
        using var host = _state.HoldHost();
        using var running = StateDirectory.Lock(host);
        var own = host.Find(Name.Value);
        if (own is null && state.Look(Name.Value) is not null)
        {
            throw new IOException($"{Path} is in the way: it was not made for a VM by microvm; move it away, and what it holds into the VM's directory once that is made");
        }
        using var steering = own ?? host.Make(Name.Value, 0x1ed /* 0755 */);
        if (state.Look(Name.Value) is null)
        {
            // For the group that it inherits: the hypervisor makes its sockets and volumes here.
            state.Make(Name.Value, 0x3fd /* 1775 */).Dispose();
        }
    }

    /// <summary>Opens what steers it, to change it under its lock.</summary>
    internal HeldFolder Hold() => HeldFolder.Open(Steering);

    /// <summary>Points <c>current</c> or <c>booted</c> at a runner, in one step.</summary>
    internal void Point(HeldFolder steering, string link, string target)
    {
        steering.PutLink(link, target);
        Show(link, target.StartsWith('/') ? target : $"../{StateDirectory.Host}/{Name}/{target}");
    }

    /// <summary>Notes where the runner comes from: the new before the old goes, so that one is always there.</summary>
    internal void Note(HeldFolder steering, string what, string text)
    {
        steering.Put(what, System.Text.Encoding.UTF8.GetBytes(text + "\n"));
        steering.Remove(what == "file" ? "flake" : "file");
        Show("flake", what == "flake" ? text : null, asFile: true);
    }

    /// <summary>Shows a link in the VM's own directory as well, where people, scripts and microvm.nix's own command look for it. We never
    /// read it: whoever may write there may have made it.</summary>
    /// <param name="link">Its name there.</param>
    /// <param name="target">What it leads to; null takes it away.</param>
    /// <param name="asFile">It is a file of this line.</param>
    internal void Show(string link, string? target, bool asFile = false)
    {
        try
        {
            using var state = _state.Hold();
            using var data = state.Find(Name.Value);
            if (target is null)
            {
                if (data?.Look(link) is { IsDirectory: false })
                {
                    data.Remove(link);
                }
            }
            else if (asFile)
            {
                data?.Put(link, System.Text.Encoding.UTF8.GetBytes(target + "\n"));
            }
            else
            {
                data?.PutLink(link, target);
            }
        }
        catch (Exception e) when (e is LinuxException or IOException)
        {
            // A courtesy; something of the VM's own has that name.
        }
    }

    internal string? Target(string link) => new FileInfo(Steer(link)).LinkTarget;

    private string? Read(string relative)
    {
        try
        {
            return File.ReadAllText(Steer(relative)).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
