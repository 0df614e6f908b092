using System.Xml.Linq;

namespace Microvm.Tests;

/// <summary>A host with odd files and names: nothing is cut, misread, or called an internal error.</summary>
public sealed class OddHostTests : IDisposable
{
    private readonly Folder _folder = new();
    private readonly Namespace _ns = new();

    public void Dispose()
    {
        _ns.Dispose();
        _folder.Dispose();
    }

    private string Vm() => _folder.File("vm.json", """{"networking":{"hostName":"web"},"microvm":{"kernel":"/etc/hostname","interfaces":[{"type":"tap","id":"vm-a1","mac":"02:00:00:00:00:01"}]}}""");

    [Fact]
    public void Remove_names_the_files_of_a_vm_whole()
    {
        var vm = Vm();
        var state = Path.Combine(Path.GetDirectoryName(vm)!, "state");
        Assert.Equal(0, Binary.Microvm("create", "web", "--file", vm, "--state-dir", state).Code);
        string[] names = ["alpha.img", "bravo.img", "charlie.img", "delta.img"];
        Array.ForEach(names, n => File.WriteAllText(Path.Combine(state, "web", n), "x"));
        var refused = Binary.Microvm("remove", "web", "--state-dir", state);
        Assert.Equal(1, refused.Code);
        Assert.Contains($"holds {string.Join(", ", names)}; take along", refused.Err, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("broken")]
    [InlineData(":::::")]
    [InlineData("a:x:notanumber:::/:/bin/sh")]
    [InlineData("nobody:x:99999999999999999999:0::/:/bin/sh")]
    [InlineData("short:x:0")]
    public void A_malformed_line_in_passwd_and_group_is_passed_over(string line)
    {
        var vm = Vm();
        foreach (var file in (string[])["passwd", "group"])
        {
            _folder.File(file, $"{line}\n\n{File.ReadAllText($"/etc/{file}")}{line}\n");
        }
        var root = Path.GetDirectoryName(vm)!;
        var state = Path.Combine(root, "state");
        const string Setup = "mount --bind \"$0/passwd\" /etc/passwd && mount --bind \"$0/group\" /etc/group && exec \"$@\"";
        foreach (var (words, code) in (IEnumerable<(string[], int)>)[(["doctor", vm], -1), (["check", vm], 0), (["up", vm, "--netns", _ns.Name], 0), (["status", vm, "--netns", _ns.Name], 0),
            (["plan", vm, "--netns", _ns.Name, "--user", "root"], 0), (["create", "web", "--file", vm, "--state-dir", state], 0), (["list", "--state-dir", state], 0)])
        {
            var outcome = Binary.Run("env", null, ["SUDO_UID=64123", "SUDO_GID=64123", "unshare", "--mount", "sh", "-c", Setup, root, Binary.Path, .. words]);
            Assert.DoesNotContain("internal error", outcome.Err, StringComparison.Ordinal);
            Assert.True(code < 0 ? outcome.Code is 0 or 1 : outcome.Code == code, $"{words[0]}: {outcome.Code}: {outcome.Out}{outcome.Err}");
        }
    }

    [Theory]
    [InlineData("q\ufffe")]
    [InlineData("q\uffff")]
    [InlineData("q\u0001<&\"'>")]
    public void A_picture_can_be_read_whatever_a_link_is_named(string name)
    {
        _ns.Ip("link", "add", name, "type", "bridge");
        Assert.Equal(0, Binary.Microvm("up", "--netns", _ns.Name, Vm()).Code);
        _ns.Ip("link", "set", "vm-a1", "master", name);
        var svg = Binary.Microvm("topology", "--host", "--svg", "--netns", _ns.Name);
        Assert.Equal(0, svg.Code);
        Assert.Contains("q", XDocument.Parse(svg.Out).Root!.Value, StringComparison.Ordinal);
    }
}
