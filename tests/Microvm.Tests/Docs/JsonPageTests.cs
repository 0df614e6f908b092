using System.Text.RegularExpressions;
using Microvm.Declaration;
using Microvm.Host;
using Microvm.Network;
using Microvm.Observation;

namespace Microvm.Tests.Docs;

/// <summary>docs/json.md against what the commands print: each runs in enough situations, and every field, its type and its words are compared both ways.</summary>
[Collection(nameof(SystemdHost))]
public sealed partial class JsonPageTests(SystemdHost systemd) : IDisposable
{
    private static readonly string s_page = File.ReadAllText(Path.Combine(Binary.Root, "docs", "json.md"));
    private readonly NetworkHost _host = new();
    private readonly Folder _folder = new();
    private JsonShape _seen = new();

    public void Dispose()
    {
        _host.Dispose();
        _folder.Dispose();
    }

    [GeneratedRegex(@"^\| `(?<field>[^`]+)` \| (?<type>[^|]+) \| (?<meaning>[^|]+) \|$", RegexOptions.Multiline)] private static partial Regex Row();
    [GeneratedRegex(@"one of (?:`(?<word>[^`]+)`(?:, )?)+")] private static partial Regex Words();
    [GeneratedRegex(@"^\| (?<commands>\[.+\]\(#.+\)) \|", RegexOptions.Multiline)] private static partial Regex Contents();
    [GeneratedRegex(@"`(?<command>[^`]+)`")] private static partial Regex Code();

    private static List<(string Field, string Type, string Meaning)> Rows(string section)
    {
        var text = Regex.Match(s_page, $@"(?ms)^## {Regex.Escape(section)}\n(.*?)(?=^## |\z)").Groups[1].Value;
        return [.. Row().Matches(text[(text.IndexOf("| field | type | meaning |", StringComparison.Ordinal) + 1)..]).Select(m => (m.Groups["field"].Value, m.Groups["type"].Value, m.Groups["meaning"].Value))];
    }

    private static IReadOnlyList<string> WordsOf(string section, string field) =>
        [.. Words().Match(Rows(section).Single(r => r.Field == field).Meaning).Groups["word"].Captures.Select(c => c.Value)];

    /// <summary>What was printed, and the section's table, tell the same.</summary>
    private void Compare(string section)
    {
        var rows = Rows(section);
        Assert.Equal(rows.Select(r => $"{r.Field}: {r.Type}").Order(StringComparer.Ordinal), _seen.Types.Select(t => $"{t.Key}: {t.Value}").Order(StringComparer.Ordinal));
        Assert.All(_seen.Arrays, a => Assert.Contains(rows, r => r.Field == a || r.Field.StartsWith(a, StringComparison.Ordinal)));
        foreach (var row in rows.Where(r => Words().IsMatch(r.Meaning)))
        {
            Assert.Subset(WordsOf(section, row.Field).ToHashSet(), _seen.Texts(row.Field).ToHashSet());
        }
    }

    private void See(Binary.Outcome outcome, bool isMap = false)
    {
        Assert.True(outcome.Out.Length > 0, outcome.Err);
        _seen.Add(outcome.Out, isMap);
    }

    private string Vm(string name, string options) => _folder.File($"{name}.json", $$"""{"networking":{"hostName":"{{name}}"},"microvm":{"kernel":"/k","initrdPath":"/i",{{options}} } }""");

    [Fact]
    public void Every_command_that_prints_JSON_has_a_section_and_no_other_has_one()
    {
        var documented = Contents().Matches(s_page).SelectMany(m => Code().Matches(m.Groups["commands"].Value)).Select(m => m.Groups["command"].Value.Replace(" --dry-run", "", StringComparison.Ordinal));
        var able = HelpTests.Commands().Where(c => Binary.Microvm([.. c, "--help"]).Out.Contains("--json", StringComparison.Ordinal)).Select(c => string.Join(' ', c));
        Assert.Equal(able.Order(StringComparer.Ordinal), documented.Order(StringComparer.Ordinal));
    }

    /// <summary>The words of the tables in the code, each of which has a word of its own.</summary>
    [Fact]
    public void Words_of_the_page_are_the_tables_of_the_code()
    {
        Same<StepKind>("plan, up and down", "steps[].action", k => k.Word());
        Same<StepKind>("watch", "action", k => k.Word());
        Same<RefusalKind>("plan, up and down", "refused[].kind", k => k.Word());
        Same<InterfaceState>("status", "[].state", s => s.Word());
        Same<AttachmentKind>("status", "[].attachment", k => k.Text());
        Same<WatchNews>("watch", "event", n => n.Word());
        Same<Host.Doctor.Severity>("doctor", "findings[].severity", Host.Doctor.SeverityWords.Word);
        Same<VmSource>("list", "[].source", s => s.Word());

        static void Same<T>(string section, string field, Func<T, string> word) where T : struct, Enum =>
            Assert.Equal(Enum.GetValues<T>().Select(word).Order(StringComparer.Ordinal), WordsOf(section, field).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Check()
    {
        See(Binary.Microvm("check", "--json", Vm("web", """ "binScripts":{"mine":["true"]},"interfaces":[{"type":"tap","id":"vm-a1","mac":"02:00:00:00:00:01"}]""")));
        See(Binary.Microvm("check", "--json", Vm("bad", """ "interfaces":[{"type":"tap","id":"a name that is too long","mac":"02:00:00:00:00:01"}]""")));
        See(Binary.Microvm("check", "--json", _folder.File("host.nix", """{ microvm.vms.there.flake = "github:example/guests"; }""")));
        Compare("check");
    }

    [Fact]
    public void Plan_up_and_down()
    {
        _host.Net.Ip("link", "add", "vm-a2", "type", "veth", "peer", "name", "far0");
        See(_host.Microvm("plan", "--json", Vm("odd", """ "binScripts":{"mine":["true"]},"interfaces":[{"type":"tap","id":"vm-a2","mac":"02:00:00:00:00:02"}]""")));
        string Declare(int vcpu) => Vm("web", $$""" "vcpu":{{vcpu}},"interfaces":[{{NetworkHost.Tap("vm-a1")}}]""");
        See(_host.Microvm("up", "--json", Declare(1)));
        _host.Net.Ip("link", "set", "vm-a1", "down");
        See(_host.Microvm("plan", "--json", Declare(1)));
        See(_host.Microvm("plan", "--json", Declare(2)));
        See(_host.Microvm("down", "--json", Declare(1)));
        See(_host.Microvm("plan", "--json", Vm("net", """ "interfaces":[{"type":"tap","id":"vm-a7","mac":"02:00:00:00:00:07","network":"default"}]""")));
        Assert.Subset(_seen.Texts("steps[].action").ToHashSet(), new HashSet<string> { "create", "change", "replace", "delete" });
        Compare("plan, up and down");
    }

    [Fact]
    public void Status()
    {
        _host.Net.Ip("link", "add", "br0", "up", "type", "bridge");
        _host.Net.Ip("link", "add", "low0", "up", "type", "veth", "peer", "name", "far0");
        _host.Net.Ip("link", "set", "far0", "up");
        var vm = Vm("web", $$""" "interfaces":[{{NetworkHost.Tap("vm-a1", "br0")}},{{NetworkHost.Tap("vm-a2")}},{{NetworkHost.Macvtap("vm-a3", "low0", "bridge")}},{"type":"user","id":"u","mac":"02:00:00:00:00:09"}]""");
        _host.Done("up", "--user", "nobody", "--group", "nogroup", vm);
        _host.Net.Ip("link", "del", "vm-a2");
        _host.Net.Ip("neigh", "add", "192.0.2.9", "lladdr", NetworkHost.MacOf("vm-a1"), "dev", "br0", "nud", "permanent");
        using (var holder = new Holder(_host.Net.Name, "vm-a1"))
        {
            See(_host.Microvm("status", "--json", vm));
        }
        // What no declaration tells.
        See(_host.Microvm("status", "--json"));
        See(Binary.Run("bash", null, "-c", "\"$0\" status --watch --interval 0.1 --json --netns \"$1\" \"$2\" | head -n 2", Binary.Path, _host.Net.Name, vm));
        Compare("status");
    }

    [Fact]
    public void Watch()
    {
        using (var watch = new WatchProcess(["--netns", _host.Net.Name, "--json", Vm("web", $$""" "interfaces":[{{NetworkHost.Tap("vm-a1")}}]""")]))
        {
            watch.WaitFor("\"watching\"");
            watch.End("TERM");
            _seen.Add(watch.Printed);
        }
        Compare("watch");
    }

    [Fact]
    public void Network_list_show_and_leases_and_ip()
    {
        using var host = new DeclaredHost();
        var vm = host.Declare("web", "\"bare\":{\"dhcp\":false,\"dns\":false}", DeclaredHost.Tap("vm-web", "default"), DeclaredHost.Tap("vm-two", "bare"));
        host.Done("up", vm);
        using var guest = host.Guest("vm-x", "net-default");
        host.Lease(guest);
        // Of an IPv6 lease the server keeps no MAC.
        File.AppendAllText($"{host.FolderOf("default")}/leases", "1893456000 11 fd00::9 * 00:01:00:01\n");
        foreach (var section in (string[])["network list", "network show", "network leases", "ip"])
        {
            string[] command = [.. section.Split(' '), .. section switch { "ip" => ["web"], "network show" => ["default"], _ => Array.Empty<string>() }, "--json", "--netns", host.Net.Name];
            See(Binary.Microvm(command));
            if (section == "network show")
            {
                See(Binary.Microvm("network", "show", "bare", "--json", "--netns", host.Net.Name));
            }
            Compare(section);
            _seen = new();
        }
    }

    [Fact]
    public void Doctor()
    {
        See(_host.Microvm("doctor", "--json", Vm("web", $$""" "interfaces":[{{NetworkHost.Tap("vm-a1", "br0")}}]""")));
        Compare("doctor");
    }

    [Fact]
    public void Dry_run()
    {
        _host.Net.Ip("link", "add", "low0", "type", "veth", "peer", "name", "far0");
        foreach (var vm in (string[])[
            Vm("a", $$""" "vcpu":2,"user":"nobody","preStart":"true","extraArgsScript":"true","volumes":[{"image":"data.img","size":64}],"interfaces":[{{NetworkHost.Macvtap("vm-a1", "low0", "bridge")}}]"""),
            Vm("b", $$""" "hypervisor":"firecracker","interfaces":[{{NetworkHost.Tap("vm-a2")}}]"""),
            Vm("c", """ "hypervisor":"cloud-hypervisor","interfaces":[{"type":"user","id":"u","mac":"02:00:00:00:00:09"}]"""),
        ])
        {
            See(Binary.Run(Binary.Path, null, "run", "--dry-run", "--json", "--netns", _host.Net.Name, vm));
        }
        Compare("run --dry-run");
    }

    [Fact]
    public void Command()
    {
        See(Binary.Microvm("command", "--json", Vm("web", $$""" "interfaces":[{{NetworkHost.Tap("vm-a1")}}]""")));
        Compare("command");
    }

    [Fact]
    public void Mac()
    {
        See(Binary.Microvm("mac", "--json", "web/vm-a1", "db/vm-a2"), isMap: true);
        Compare("mac");
    }

    [Fact]
    public void Host_install_and_uninstall()
    {
        var root = Directory.CreateDirectory(Path.Combine(Path.GetDirectoryName(_folder.File("x", ""))!, "root")).FullName;
        string[] at = ["--json", "--root", root];
        See(Binary.Microvm(["host", "install", .. at]));
        See(Binary.Microvm(["host", "install", .. at]));
        File.AppendAllText(Directory.EnumerateFiles(root, "*.conf", SearchOption.AllDirectories).First(), "# edited\n");
        See(Binary.Microvm(["host", "uninstall", .. at]));
        Assert.Equal(["keep", "leave", "remove", "write"], _seen.Texts("[].action").Order(StringComparer.Ordinal));
        Compare("host install and host uninstall");
    }

    [Fact]
    public void List()
    {
        void Create(string name, params string[] interfaces)
        {
            systemd.Write($"/root/{name}.json", $$"""
                {"networking":{"hostName":"{{name}}"},"microvm":{
                  "kernel":"{{SystemdHost.Guest}}/vmlinuz","initrdPath":"{{SystemdHost.Guest}}/initrd","kernelParams":["seconds=600","{{string.Join("\",\"", GuestClock.Parameters)}}"],
                  "interfaces":[{{string.Join(',', interfaces)}}] } }
                """);
            systemd.Microvm("create", name, "--file", $"/root/{name}.json");
            systemd.Run("/usr/local/bin/microvm", "start", name);
        }
        void Gone(string name)
        {
            systemd.Microvm("stop", name);
            systemd.Microvm("remove", name, "--data");
        }
        Create("jsonruns", NetworkHost.Tap("vm-j1"), NetworkHost.Tap("vm-j2"));
        // Its bridge is not there.
        Create("jsonwaits", NetworkHost.Tap("vm-j3", "brjson"));
        // A runner of somebody else's making, never started.
        systemd.Do("mkdir", "-p", "/var/lib/microvms/.host/jsonold", "/var/lib/microvms/jsonold");
        systemd.Do("ln", "-s", "/nowhere", "/var/lib/microvms/.host/jsonold/current");
        systemd.Do("ip", "link", "set", "vm-j1", "down");
        systemd.Do("ip", "neigh", "add", "192.0.2.9", "lladdr", NetworkHost.MacOf("vm-j2"), "dev", "vm-j2", "nud", "permanent");
        See(systemd.Run("/usr/local/bin/microvm", "list", "--json"));
        systemd.Do("rm", "-r", "/var/lib/microvms/.host/jsonold", "/var/lib/microvms/jsonold");
        Gone("jsonruns");
        Gone("jsonwaits");
        Compare("list");
    }
}
