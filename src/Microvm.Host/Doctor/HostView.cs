using System.Globalization;
using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network;

namespace Microvm.Host.Doctor;

/// <summary>A person as the permissions of files see them.</summary>
public sealed record Person(string Name, uint User, IReadOnlyCollection<uint> Groups);

/// <summary>What the checks see of the host. Files are read under <paramref name="root"/>, which is <c>/</c> but for tests of a host unlike this one.</summary>
public sealed class HostView(string root, IReadOnlyList<MicrovmConfig> vms, IReadOnlyList<Attachment> attachments)
{
    private IReadOnlyList<Link>? _links;
    private Firewall? _firewall;
    private Dictionary<string, int>? _indexes;
    private Dictionary<int, Link>? _byIndex;

    /// <summary>The VMs of the declarations given, which may be none.</summary>
    public IReadOnlyList<MicrovmConfig> Vms => vms;

    /// <summary>The processor's architecture.</summary>
    internal System.Runtime.InteropServices.Architecture Architecture { get; init; } = System.Runtime.InteropServices.RuntimeInformation.OSArchitecture;

    /// <summary>Their interfaces as they are attached.</summary>
    public IReadOnlyList<Attachment> Attachments => attachments;

    public IEnumerable<NetworkInterface> Interfaces => vms.SelectMany(v => v.Interfaces);
    public bool Declares(InterfaceType type) => Interfaces.Any(i => i.Type == type);

    /// <summary>The links of this network namespace.</summary>
    public IReadOnlyList<Link> Links
    {
        get
        {
            if (_links is null)
            {
                using var route = new RouteSocket();
                _links = route.Links();
            }
            return _links;
        }
        init => _links = value;
    }

    /// <summary>The firewall of this network namespace.</summary>
    internal Firewall Firewall { get => _firewall ??= Firewall.Read(); init => _firewall = value; }

    /// <summary>The named network namespace that is looked at; null for the one that commands are typed in.</summary>
    public string? Netns { get; init; }

    /// <summary>A command as root in the network namespace that is looked at.</summary>
    internal string Sudo(string command) => $"sudo {(Netns is null ? "" : $"ip netns exec {Shell.Quote(Netns)} ")}{command}";

    /// <summary>The interfaces as <c>microvm status</c> sees them.</summary>
    internal Func<IReadOnlyList<Observation.InterfaceStatus>> Statuses { get; init; } = () => [];

    /// <summary>The command that makes interfaces as they are declared; null where none is known.</summary>
    internal Func<IEnumerable<Observation.InterfaceStatus>, string?> Remake { get; init; } = _ => null;

    /// <summary>The command that starts a VM anew; null where it is not one of this host's.</summary>
    internal Func<string, string?> Restart { get; init; } = _ => null;

    /// <summary>The VMs whose runners this host keeps, each with why its runner is not what was built; null where it is.</summary>
    internal IReadOnlyList<(string Vm, string? Fault)> Runners { get; init; } = [];

    /// <summary>Who will run VMs, as far as one can tell: the caller behind sudo, else the caller.</summary>
    public Person Person { get; init; } = new("root", 0, []);

    /// <summary>The directories where programs are looked for.</summary>
    public IReadOnlyList<string> SearchPath { get; init; } = Linux.SearchPath.Folders;

    /// <summary>The taps and what bridge each is on: where one is attached now, whoever did it, else where the declaration will have it. The tap of a VM that its
    /// hypervisor makes has no name yet.</summary>
    public IEnumerable<(string Bridge, string? Tap)> Bridged =>
        Interfaces.Where(i => Master(i.Id.Value) is null && i.Bridge is not null).Select(i => (NameOf(i.Bridge!.Value.Value), i.Type == InterfaceType.Tap ? i.Id.Value : null))
            .Concat(Links.Where(l => l.Master is not null && IsOurs(l) && Master(l.Name)?.Kind == "bridge").Select(l => (Master(l.Name)!.Name, (string?)l.Name))).Distinct();

    /// <summary>The taps that nothing attaches to a bridge or another link, so that the host routes what they send.</summary>
    public IEnumerable<string> Routed =>
        Interfaces.Where(i => i.Type == InterfaceType.Tap && i.Bridge is null && Master(i.Id.Value) is null).Select(i => i.Id.Value)
            .Concat(Links.Where(l => l is { Kind: "tun", Master: null } && IsOurs(l) && Ownership.IsPart(l.Alias) is false && !Interfaces.Any(i => i.Id.Value == l.Name)).Select(l => l.Name)).Distinct();

    /// <summary>The link of the default route of IPv4; null where there is none.</summary>
    public string? Uplink => Lines("/proc/thread-self/net/route").Skip(1).Select(l => l.Split('\t'))
        .Where(f => f is [_, "00000000", _, _, _, _, _, "00000000", ..]).MinBy(f => int.TryParse(f[6], out var metric) ? metric : int.MaxValue)?[0];

    /// <summary>The links' indexes by name.</summary>
    public IReadOnlyDictionary<string, int> Indexes => _indexes ??= Links.GroupBy(l => l.Name).ToDictionary(g => g.Key, g => g.First().Index);

    /// <summary>The name by which the kernel and firewalls know a device that a declaration may name by an altname.</summary>
    internal string NameOf(string name) => Links.FirstOrDefault(l => l.IsNamed(name))?.Name ?? name;

    private Link? Master(string name) => Links.Count > 0 && Indexes.TryGetValue(name, out var index) && ByIndex[index].Master is { } master ? ByIndex.GetValueOrDefault(master) : null;

    private Dictionary<int, Link> ByIndex => _byIndex ??= Links.GroupBy(l => l.Index).ToDictionary(g => g.Key, g => g.First());

    public bool IsOurs(Link link) => Ownership.Vm(link.Alias) is not null;

    public bool Exists(string path) => File.Exists(At(path)) || Directory.Exists(At(path));
    internal FileSecurity? Security(string path) => FileSecurity.Of(At(path));

    /// <summary>The text of a small file, or null where there is none.</summary>
    public string? Read(string path) => File.Exists(At(path)) ? File.ReadAllText(At(path)) : null;

    /// <summary>The first bytes of a file, or none.</summary>
    public byte[] Head(string path) => Run.KernelImage.Read(At(path));

    public IEnumerable<string> Lines(string path) => (Read(path) ?? "").Split('\n').Select(l => l.Trim());

    /// <summary>A sysctl that is a number, like net.ipv4.ip_forward; null where this kernel has none of that name.</summary>
    public int? Sysctl(string name) => Setting($"/proc/sys/{name.Replace('.', '/')}");

    /// <summary>A file that holds a number; null where there is none, or no number in it.</summary>
    public int? Setting(string path) => int.TryParse(Read(path), NumberStyles.Integer, CultureInfo.InvariantCulture, out var value) ? value : null;

    /// <summary>What a group is called here, or its number.</summary>
    internal string GroupName(uint group) => Lines(AccountFile.Groups).Select(l => l.Split(':')).FirstOrDefault(f => f.Length > 2 && f[2] == $"{group}")?[0] ?? $"{group}";

    /// <summary>Files of these directories that end in <paramref name="ending"/>; of two with one name, the first directory's, as systemd and NetworkManager take them; all in the order of their names, whatever directory they stand in.</summary>
    public IEnumerable<(string Path, string Text)> Configuration(string ending, params string[] directories) => directories
        .Where(d => Directory.Exists(At(d)))
        .SelectMany(d => Directory.GetFiles(At(d), "*" + ending).Select(f => (Path: $"{d}/{Path.GetFileName(f)}", Name: Path.GetFileName(f))))
        .DistinctBy(f => f.Name).OrderBy(f => f.Name, StringComparer.Ordinal).Select(f => (f.Path, Read(f.Path) ?? ""));

    /// <summary>What a file is in the end, links followed.</summary>
    internal string Target(string path) => File.ResolveLinkTarget(At(path), true)?.FullName ?? At(path);

    /// <summary>Where a program is, or null.</summary>
    public string? Program(string name) => SearchPath.Select(d => $"{d}/{name}").FirstOrDefault(p => File.Exists(At(p)));

    /// <summary>How the kernel has a feature: true (built in or loaded), false (not at all), null (a module that can be loaded).</summary>
    /// <param name="option">The kernel's configuration option, without CONFIG_.</param>
    public bool? Kernel(string module, string option)
    {
        if (Exists($"/sys/module/{module}"))
        {
            return true;
        }
        var release = Read("/proc/sys/kernel/osrelease")?.Trim();
        if (release is not null && Lines($"/lib/modules/{release}/modules.builtin").Any(l => l.EndsWith($"/{module}.ko", StringComparison.Ordinal)))
        {
            return true;
        }
        if (release is not null && Lines($"/lib/modules/{release}/modules.dep").Any(l => l.Split(':')[0] is var file && System.IO.Path.GetFileName(file).Split('.')[0].Replace('-', '_') == module))
        {
            return null;
        }
        return Configured(option);
    }

    private bool Configured(string option)
    {
        if (!File.Exists(At("/proc/config.gz")))
        {
            return false;
        }
        using var text = new StreamReader(new System.IO.Compression.GZipStream(File.OpenRead(At("/proc/config.gz")), System.IO.Compression.CompressionMode.Decompress));
        while (text.ReadLine() is { } line)
        {
            if (line == $"CONFIG_{option}=y")
            {
                return true;
            }
        }
        return false;
    }

    internal string At(string path) => root == "/" ? path : root + path;
}
