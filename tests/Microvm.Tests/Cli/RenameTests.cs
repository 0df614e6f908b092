namespace Microvm.Tests;

/// <summary>A VM gets another name: its links stay, also while somebody has them open.</summary>
public sealed class RenameTests : IDisposable
{
    private readonly Folder _folder = new();
    private readonly Namespace _ns = new();

    public void Dispose()
    {
        _ns.Dispose();
        _folder.Dispose();
    }

    private string File(string vm, string interfaces) => _folder.File($"{vm}.json", $$"""{"networking":{"hostName":"{{vm}}"},"microvm":{"interfaces":[{{interfaces}}]} }""");

    private Binary.Outcome Rename(string old, string name) => Binary.Microvm("rename", "--state-dir", "/nowhere-at-all", "--netns", _ns.Name, old, name);

    private string Index(string link) => _ns.Ip("-o", "link", "show", link).Split(':')[0];

    private const string Two = """{"type":"tap","id":"vm-n1","mac":"02:00:00:00:00:01"},{"type":"macvtap","id":"vm-n2","mac":"02:00:00:00:00:02","macvtap":{"link":"card","mode":"bridge"}}""";

    [Fact]
    public void Links_are_the_new_VMs_in_place_and_the_declaration_under_its_new_name_has_nothing_to_do()
    {
        _ns.Ip("link", "add", "card", "type", "veth", "peer", "name", "far");
        _ns.Ip("link", "set", "card", "up");
        Assert.Equal(0, Binary.Microvm("up", "--netns", _ns.Name, File("old", Two)).Code);
        var (index, other) = (Index("vm-n1"), Index("vm-n2"));

        // The way on is told by whoever comes first.
        var refused = Binary.Microvm("plan", "--netns", _ns.Name, File("new", Two));
        Assert.Contains("belongs to the VM 'old'; if 'new' is the same VM under a new name: sudo microvm rename old new; otherwise choose another id", refused.Err, StringComparison.Ordinal);

        string said;
        using (_ns.Hold("vm-n1"))
        {
            var renamed = Rename("old", "new");
            Assert.True(renamed.Code == 0, renamed.Err);
            said = renamed.Out;
        }
        Assert.Equal("old is new now, and so are its links vm-n1, vm-n2\n", said);
        Assert.Equal((index, other), (Index("vm-n1"), Index("vm-n2")));
        Assert.Contains("nothing to do", Binary.Microvm("plan", "--netns", _ns.Name, File("new", Two)).Out, StringComparison.Ordinal);
        // The old name has nothing any more, and may come again with links of its own.
        Assert.Equal(0, Binary.Microvm("up", "--netns", _ns.Name, File("old", """{"type":"tap","id":"vm-n3","mac":"02:00:00:00:00:03"}""")).Code);
        Assert.Equal(0, Binary.Microvm("down", "--netns", _ns.Name, "--vm", "new").Code);
        Assert.DoesNotContain("vm-n1", _ns.Ip("link"), StringComparison.Ordinal);
        Assert.Contains("vm-n3", _ns.Ip("link"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_that_is_taken_one_that_is_nobodys_and_one_that_can_be_none_change_nothing()
    {
        Assert.Equal(0, Binary.Microvm("up", "--netns", _ns.Name, File("one", """{"type":"tap","id":"vm-n1","mac":"02:00:00:00:00:01"}""")).Code);
        Assert.Equal(0, Binary.Microvm("up", "--netns", _ns.Name, File("two", """{"type":"tap","id":"vm-n2","mac":"02:00:00:00:00:02"}""")).Code);
        var before = _ns.Ip("-d", "link");
        var taken = Rename("one", "two");
        Assert.True(taken.Code == 1 && taken.Err.Contains("the link 'vm-n2' belongs to a VM 'two' already", StringComparison.Ordinal), taken.Err);
        var nobody = Rename("three", "four");
        Assert.True(nobody.Code == 2 && nobody.Err.Contains("no VM 'three'", StringComparison.Ordinal), nobody.Err);
        Assert.Equal(2, Rename("one", "../two").Code);
        Assert.Equal(2, Rename("one", "one").Code);
        Assert.Equal(before, _ns.Ip("-d", "link"));
        Assert.False(Directory.Exists("/nowhere-at-all"));
    }
}
