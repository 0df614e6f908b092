using Microvm.Linux;

namespace Microvm.Tests.Linux;

public sealed class AtomicFileTests : IDisposable
{
    private readonly Folder _folder = new();
    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_new_content_takes_the_old_ones_place_and_nothing_is_left_beside_it()
    {
        var path = _folder.File("state", "old");
        AtomicFile.Write(path, "new", UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Assert.Equal("new", File.ReadAllText(path));
        Assert.Equal("600", Binary.Run("stat", null, "-c", "%a", path).Out.Trim());
        Assert.Equal([path], Directory.GetFileSystemEntries(Path.GetDirectoryName(path)!));
    }

    [Fact]
    public void A_link_is_replaced_and_its_target_left_alone()
    {
        var target = _folder.File("target", "precious");
        var path = Path.Combine(Path.GetDirectoryName(target)!, "state");
        File.CreateSymbolicLink(path, target);
        AtomicFile.Write(path, "new");
        Assert.Equal("precious", File.ReadAllText(target));
        Assert.Equal("new", File.ReadAllText(path));
        Assert.Null(new FileInfo(path).LinkTarget);
    }

    /// <summary>Readers all the while: whole texts only.</summary>
    [Fact]
    public void A_reader_sees_old_or_new_and_never_a_part()
    {
        var path = _folder.File("state", new string('a', 50_000));
        var done = false;
        var torn = 0;
        var reader = new Thread(() =>
        {
            while (!Volatile.Read(ref done))
            {
                var text = File.ReadAllText(path);
                torn += text.Length == 50_000 && text.Distinct().Count() == 1 ? 0 : 1;
            }
        });
        reader.Start();
        for (var i = 0; i < 100; i++)
        {
            AtomicFile.Write(path, new string((char)('a' + i % 26), 50_000));
        }
        Volatile.Write(ref done, true);
        reader.Join();
        Assert.Equal(0, torn);
    }

    [Fact]
    public void What_could_not_be_written_leaves_all_as_it_was()
    {
        var path = _folder.File("state", "old");
        var folder = Directory.CreateDirectory(Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, "busy"));
        File.WriteAllText(Path.Combine(folder.FullName, "inside"), "x");
        Assert.ThrowsAny<Exception>(() => AtomicFile.Write(folder.FullName, "new"));
        Assert.Equal(["busy", "state"], Directory.GetFileSystemEntries(Path.GetDirectoryName(folder.FullName)!).Select(Path.GetFileName).Order());
    }
}
