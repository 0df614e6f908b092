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
    private IReadOnlyList<FirewallChain>? _chains;
    private IReadOnlyList<FirewallRule>? _rules;

    /// <summary>The VMs of the declarations given, which may be none.</summary>
    public IReadOnlyList<MicrovmConfig> Vms => vms;

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

    /// <summary>The firewall's base chains in this network namespace.</summary>
    internal IReadOnlyList<FirewallChain> Chains { get => _chains ??= FirewallSocket.BaseChains(); init => _chains = value; }

    /// <summary>The firewall's rules that ask for nothing but links.</summary>
    internal IReadOnlyList<FirewallRule> Rules { get => _rules ??= FirewallSocket.LinkRules(); init => _rules = value; }

    /// <summary>Who will run VMs, as far as one can tell: the caller behind sudo, else the caller.</summary>
    public Person Person { get; init; } = new("root", 0, []);

    /// <summary>The directories where programs are looked for.</summary>
    public IReadOnlyList<string> SearchPath { get; init; } = Linux.SearchPath.Folders;

    public bool IsOurs(Link link) => Ownership.Vm(link.Alias) is not null;

    public bool Exists(string path) => File.Exists(At(path)) || Directory.Exists(At(path));
    internal FileSecurity? Security(string path) => FileSecurity.Of(At(path));

    /// <summary>The text of a small file, or null where there is none.</summary>
    public string? Read(string path) => File.Exists(At(path)) ? File.ReadAllText(At(path)) : null;

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

    private string At(string path) => root == "/" ? path : root + path;
}
