using System.Globalization;
using System.Xml.Linq;

namespace Microvm.Tests;

/// <summary>Where a topology is written to, and whether its picture can be read.</summary>
public sealed class TopologyFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("microvm-topology-").FullName;
    public void Dispose() => Directory.Delete(_folder, true);

    private string Vm(int n, string? name = null)
    {
        var file = Path.Combine(_folder, $"{n}.json");
        File.WriteAllText(file, $$"""
            {"networking":{"hostName":"{{name ?? $"vm-number-{n}"}}"},"microvm":{"vcpu":2,"interfaces":[{{NetworkHost.Tap($"vm-a{n}", $"br{n % 3}")}},
              {{(n % 2 == 0 ? NetworkHost.Macvtap($"vm-m{n}", "eth0", "bridge") : $$"""{"type":"user","id":"u{{n}}","mac":"{{NetworkHost.MacOf($"u{n}")}}"}""")}},{{NetworkHost.Tap($"fifteen-byte-{n:00}")}}] } }
            """);
        return file;
    }

    private string At(string name) => Path.Combine(_folder, name);

    [Theory]
    [InlineData()]
    [InlineData("--dot")]
    [InlineData("--mermaid")]
    [InlineData("--svg")]
    public void A_file_gets_what_standard_output_gets(params string[] format)
    {
        var vm = Vm(1);
        var shown = Binary.Microvm(["topology", vm, .. format]);
        Assert.Equal(0, shown.Code);
        var written = Binary.Microvm(["topology", vm, .. format, "-o", At("out")]);
        Assert.Equal((0, "", ""), (written.Code, written.Out, written.Err));
        Assert.Equal(shown.Out, File.ReadAllText(At("out")));
        // What is no file is written to, not replaced.
        Assert.Equal(shown.Out, Binary.Microvm(["topology", vm, .. format, "-o", "/dev/stdout"]).Out);
        Assert.Equal(0, Binary.Run("sh", null, "-c", "mkfifo \"$1\"; cat \"$1\" > \"$2\" & \"$0\" topology \"$3\" -o \"$1\"; wait; test -p \"$1\"", Binary.Path, At("pipe"), At("piped"), vm).Code);
        Assert.NotEmpty(File.ReadAllText(At("piped")));
    }

    [Theory]
    [InlineData("none/out.svg", "its directory is not there")]
    [InlineData("folder", "it is a directory")]
    [InlineData("closed/out.svg", "permission denied")]
    [InlineData("full/out.svg", "No space left")]
    public void Where_nothing_can_be_written_nothing_is_and_the_exit_code_is_1(string to, string says)
    {
        var vm = Vm(1);
        Binary.Run("chmod", null, "-R", "a+rX", _folder);
        // Root may write anywhere, and sudo's caller not: 'topology' writes as the person behind sudo. A tmpfs of one page is full at once.
        const string Script = """
            mkdir -p folder closed full; chmod 0755 closed; mount -t tmpfs -o size=4k,mode=0777 none full; head -c 4096 /dev/zero > full/old 2>/dev/null
            SUDO_UID=65534 SUDO_GID=65534 "$0" topology --svg "$1" -o "$2"; code=$?
            find closed full folder -type f ! -name old; exit $code
            """;
        var outcome = Binary.Run("unshare", null, "--mount", "env", "-C", _folder, "sh", "-c", Script, Binary.Path, vm, to);
        Assert.Equal((1, ""), (outcome.Code, outcome.Out));
        Assert.Contains($"can't write '{to}'", outcome.Err);
        Assert.Contains(says, outcome.Err);
        Assert.False(File.Exists(At(to)));
    }

    [Fact]
    public void A_file_that_is_there_is_replaced_whole_and_kept_where_the_declaration_is_wrong()
    {
        File.WriteAllText(At("out"), "old");
        File.WriteAllText(At("bad.json"), "{ \"microvm\": 5 }");
        Assert.Equal(2, Binary.Microvm("topology", At("bad.json"), "-o", At("out")).Code);
        Assert.Equal("old", File.ReadAllText(At("out")));
        Assert.Equal(0, Binary.Microvm("topology", Vm(1), "-o", At("out")).Code);
        Assert.StartsWith("br1 (bridge)\n", File.ReadAllText(At("out")), StringComparison.Ordinal);
    }

    private sealed record Box(double X, double Y, double Width, double Height)
    {
        internal bool Meets(Box other) => X < other.X + other.Width && other.X < X + Width && Y < other.Y + other.Height && other.Y < Y + Height;
        internal bool Holds(Box other) => X <= other.X && Y <= other.Y && X + Width >= other.X + other.Width && Y + Height >= other.Y + other.Height;
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(40)]
    public void In_the_SVG_nothing_lies_on_anything_else(int count) => IsReadable(Binary.Microvm(["topology", "--svg", "--all", .. Enumerable.Range(1, count).Select(n => Vm(n))]).Out, count);

    private string Fleet(int vms) => string.Join(',', Enumerable.Range(1, vms).Select(n => $$"""
        "web{{n:00}}":{"config":{"microvm":{"interfaces":[{"type":"tap","id":"vm-{{n}}","mac":"02:00:00:00:01:{{n:x2}}","bridge":"br{{n % 2}}"}]} } }
        """));

    [Fact]
    public void One_VM_or_one_bridge_is_drawn_alone_and_a_crowd_is_one_node()
    {
        File.WriteAllText(At("fleet.json"), $$"""{"microvm":{"vms":{ {{Fleet(50)}},"two":{"config":{"microvm":{"interfaces":[{"type":"tap","id":"vm-t1","mac":"02:00:00:00:02:01","bridge":"br0"},{"type":"tap","id":"vm-t2","mac":"02:00:00:00:02:02","bridge":"br9"}]} } } } } }""");
        string Drawn(params string[] more) => Binary.Microvm(["topology", At("fleet.json"), .. more]).Out;
        Assert.Matches(@"^br0 \(bridge\)\n├─ vm-t1 .*\n│  └─ two .*\n└─ 25 interfaces \(each with --all\)\n   └─ 25 VMs \(web02 to web50\)\n$", Drawn("--bridge", "br0"));
        Assert.Equal(2, Drawn().Split("25 VMs").Length - 1);
        Assert.Matches(@"^br0 \(bridge\)\n└─ vm-4 .*\n   └─ web04 .*\n$", Drawn("--vm", "web04"));
        Assert.Equal(2 * 50 + 4 + 3, Drawn("--all").Count(c => c == '\n'));
        Assert.Contains("25 VMs", Drawn("--svg"), StringComparison.Ordinal);
        var unknown = Binary.Microvm("topology", At("fleet.json"), "--vm", "web99");
        Assert.Equal((2, "microvm: there is no VM 'web99' in the picture; 'microvm topology' without --vm shows all"), (unknown.Code, unknown.Err.Split('\n')[0]));
    }

    [Fact]
    public void Long_and_wide_names_stay_inside_their_boxes()
    {
        using var host = new Namespace();
        foreach (var (n, vm) in new[] { "a-virtual-machine-whose-name-has-sixty-three-characters-in-all-1", "データベース主サーバーは東京にありますそして長い名前を持っています", "🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀" }.Index())
        {
            host.Ip("tuntap", "add", $"fifteen-bytes-{n}", "mode", "tap");
            host.Ip("link", "set", $"fifteen-bytes-{n}", "alias", $"microvm:{vm}/fifteen-bytes-{n}");
        }
        IsReadable(Binary.Microvm("topology", "--svg", "--host", "--netns", host.Name).Out, 3);
    }

    [Fact]
    public void A_host_without_VMs_has_a_picture_and_a_tree_that_say_so()
    {
        using var host = new Namespace();
        var svg = XDocument.Parse(Binary.Microvm("topology", "--svg", "--host", "--netns", host.Name).Out);
        Assert.Contains("no interface of a VM", svg.Root!.Value);
        Assert.Equal("no interface of a VM\n", Binary.Microvm("topology", "--host", "--netns", host.Name).Out);
        Assert.Equal(0, Binary.Run("dot", Binary.Microvm("topology", "--dot", "--host", "--netns", host.Name).Out, "-Tsvg").Code);
    }

    private static void IsReadable(string picture, int vms)
    {
        var svg = XDocument.Parse(picture).Root!;
        static double Of(XElement e, string name) => double.Parse(e.Attribute(name)!.Value, CultureInfo.InvariantCulture);
        static string Class(XElement e) => e.Attribute("class")?.Value ?? "";
        var boxes = svg.Elements().Where(e => e.Name.LocalName == "rect" && Class(e).StartsWith("box", StringComparison.Ordinal)).Select(e => new Box(Of(e, "x"), Of(e, "y"), Of(e, "width"), Of(e, "height"))).ToList();
        // A letter of a monospace font is 0.6 em wide and reaches from 0.8 em above the line to 0.25 below; wide ones take two cells.
        var texts = svg.Elements().Where(e => e.Name.LocalName == "text").Select(e => (e.Value, Size: Class(e) == "name" ? 13.0 : 10.0, X: Of(e, "x"), Y: Of(e, "y")))
            .Select(t => new Box(t.X, t.Y - 0.8 * t.Size, t.Value.EnumerateRunes().Sum(Microvm.Screens.CharacterWidth.Of) * 0.6 * t.Size, 1.05 * t.Size)).ToList();
        Assert.Equal(vms, svg.Elements().Count(e => Class(e) == "box vm"));
        // Below all is the caption.
        var caption = texts[^1];
        texts.RemoveAt(texts.Count - 1);
        Assert.All(boxes, b => Assert.False(b.Meets(caption)));
        Assert.Equal(2 * boxes.Count, texts.Count);
        foreach (var (n, box) in boxes.Index())
        {
            Assert.All(boxes.Skip(n + 1), other => Assert.False(box.Meets(other), $"{box} meets {other}"));
        }
        Assert.All(texts.Index(), t => Assert.True(boxes[t.Index / 2].Holds(t.Item), $"{t.Item} sticks out of {boxes[t.Index / 2]}"));
        foreach (var (n, text) in texts.Index())
        {
            Assert.All(texts.Skip(n + 1), other => Assert.False(text.Meets(other)));
        }
        var page = new Box(0, 0, Of(svg, "width"), Of(svg, "height"));
        Assert.All(boxes, b => Assert.True(page.Holds(b)));
        // Every line begins and ends at a box.
        Assert.All(svg.Elements().Where(e => e.Name.LocalName == "path"), p =>
        {
            var d = p.Attribute("d")!.Value.Split('M', 'C', ' ').Where(w => w.Length > 0).Select(w => double.Parse(w, CultureInfo.InvariantCulture)).ToArray();
            Assert.Contains(boxes, b => Math.Abs(b.X + b.Width - d[0]) < 0.2 && Math.Abs(b.Y + b.Height / 2 - d[1]) < 0.2);
            Assert.Contains(boxes, b => Math.Abs(b.X - d[^2]) < 0.2 && Math.Abs(b.Y + b.Height / 2 - d[^1]) < 0.2);
        });
    }
}
