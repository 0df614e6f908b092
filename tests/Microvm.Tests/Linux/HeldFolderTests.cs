using Microvm.Linux;

namespace Microvm.Tests.Linux;

public sealed class HeldFolderTests : IDisposable
{
    private readonly Folder _folder = new();
    private string Home => Path.GetDirectoryName(_folder.File("x", ""))!;
    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Removal_takes_the_tree_and_leaves_what_its_links_lead_to()
    {
        var kept = Directory.CreateDirectory(Path.Combine(Home, "kept")).FullName;
        File.WriteAllText(Path.Combine(kept, "precious"), "");
        var deep = Path.Combine(Home, "tree");
        // Deeper than a path may be long, and than a stack of calls would like.
        Assert.Equal(0, Binary.Run("bash", null, "-c", $"mkdir {deep}; cd {deep}; ln -s {kept} link; mkfifo pipe; for n in $(seq 900); do mkdir dddd; cd dddd; : > f$'\\xff'; done; ln -s {kept} link; chmod 0 .").Code);
        using var home = HeldFolder.Open(Home);
        Assert.True(home.Remove("tree"));
        Assert.False(home.Remove("tree"));
        Assert.Equal(["kept", "x"], Directory.EnumerateFileSystemEntries(Home).Select(Path.GetFileName).Order());
        Assert.True(File.Exists(Path.Combine(kept, "precious")));
    }

    [Fact]
    public void What_is_mounted_in_a_tree_is_not_removed()
    {
        var mounted = Directory.CreateDirectory(Path.Combine(Home, "tree/in/mounted")).FullName;
        Assert.Equal(0, Binary.Run("mount", null, "-t", "tmpfs", "none", mounted).Code);
        try
        {
            File.WriteAllText(Path.Combine(mounted, "precious"), "");
            using var home = HeldFolder.Open(Home);
            Assert.Throws<LinuxException>(() => home.Remove("tree"));
            Assert.Contains("precious", Binary.Run("find", null, Home).Out);
        }
        finally
        {
            Assert.Equal(0, Binary.Run("bash", null, "-c", $"find {Home} -name precious -printf '%h\\n' | xargs -r umount").Code);
        }
    }

    [Theory]
    [InlineData("mkfifo f")]
    [InlineData("ln -s x f")]
    [InlineData("mkdir f")]
    [InlineData("echo a > f; chmod 666 f")]
    [InlineData("echo a > f; chown 1234 f")]
    [InlineData("echo a > f; ln f g")]
    public void Only_a_file_of_our_own_is_trusted_and_nothing_waits(string make)
    {
        Assert.Equal(0, Binary.Run("bash", null, "-c", $"cd {Home}; {make}").Code);
        using var home = HeldFolder.Open(Home);
        Assert.Null(home.Read("f", trusted: true));
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("a/b")]
    [InlineData("a\0b")]
    public void A_name_is_one_component(string name)
    {
        using var home = HeldFolder.Open(Home);
        Assert.Throws<ArgumentException>(() => home.Put(name, []));
        Assert.Throws<ArgumentException>(() => home.Remove(name));
    }

    [Fact]
    public void A_tree_is_exchanged_whole()
    {
        using var home = HeldFolder.Open(Home);
        home.PutTree("t", [("a", "1"u8.ToArray(), 0x1a4), ("b/c", "2"u8.ToArray(), 0x1ed)], replace: false);
        Assert.Throws<LinuxException>(() => home.PutTree("t", [("z", [], 0x1a4)], replace: false));
        Assert.Equal("2", File.ReadAllText(Path.Combine(Home, "t/b/c")));
        home.PutTree("t", [("z", [], 0x1a4)], replace: true);
        Assert.Equal(["z"], Directory.EnumerateFileSystemEntries(Path.Combine(Home, "t")).Select(Path.GetFileName));
        Assert.Equal(["t", "x"], Directory.EnumerateFileSystemEntries(Home).Select(Path.GetFileName).Order());
    }
}
