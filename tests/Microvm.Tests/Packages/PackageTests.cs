using System.IO.Compression;
using System.Xml.Linq;

namespace Microvm.Tests;

/// <summary>The NuGet packages, as somebody finds them who has nothing else of us.</summary>
public sealed class PackageTests(PackageFeed feed) : IClassFixture<PackageFeed>, IDisposable
{
    private static readonly string[] s_packages = ["Microvm.Declaration", "Microvm.Linux", "Microvm.Network"];
    private readonly string _folder = Directory.CreateTempSubdirectory("microvm-package-").FullName;
    private readonly Namespace _ns = new();
    public void Dispose()
    {
        _ns.Dispose();
        Directory.Delete(_folder, true);
    }

    [Fact]
    public void Three_libraries_pack_and_nothing_else_does() =>
        Assert.Equal(s_packages, Directory.GetFiles(feed.Folder, "*.nupkg").Select(f => Path.GetFileName(f).Replace($".{feed.Version}.nupkg", "")).Order(StringComparer.Ordinal));

    [Theory]
    [InlineData("Microvm.Declaration", "")]
    [InlineData("Microvm.Linux", "")]
    [InlineData("Microvm.Network", "Microvm.Declaration Microvm.Linux")]
    public void A_package_has_its_readme_documentation_and_symbols_and_depends_on_nothing_of_others(string package, string dependencies)
    {
        using var zip = ZipFile.OpenRead(feed.File(package, "nupkg"));
        using var symbols = ZipFile.OpenRead(feed.File(package, "snupkg"));
        Assert.Contains(symbols.Entries, e => e.FullName == $"lib/net10.0/{package}.pdb");
        Assert.Contains(zip.Entries, e => e.FullName == $"lib/net10.0/{package}.dll");
        using var documentation = zip.GetEntry($"lib/net10.0/{package}.xml")!.Open();
        Assert.True(XDocument.Load(documentation).Descendants("member").Count() > 20);
        using var readme = new StreamReader(zip.GetEntry("README.md")!.Open());
        Assert.StartsWith($"# {package}", readme.ReadToEnd(), StringComparison.Ordinal);
        using var nuspec = zip.GetEntry($"{package}.nuspec")!.Open();
        var metadata = XDocument.Load(nuspec).Root!;
        var ns = metadata.Name.Namespace;
        Assert.Equal("README.md", metadata.Descendants(ns + "readme").Single().Value);
        Assert.Equal("MIT", metadata.Descendants(ns + "license").Single().Value);
        Assert.DoesNotContain("Package Description", metadata.Descendants(ns + "description").Single().Value, StringComparison.Ordinal);
        Assert.Equal(dependencies, string.Join(' ', metadata.Descendants(ns + "dependency").Select(d => d.Attribute("id")!.Value).Order(StringComparer.Ordinal)));
    }

    [Fact]
    public void The_sample_is_built_with_the_packages_alone_and_makes_a_tap_in_a_namespace()
    {
        foreach (var file in Directory.GetFiles(Path.Combine(Binary.Root, "samples", "links")))
        {
            File.Copy(file, Path.Combine(_folder, Path.GetFileName(file)));
        }
        // What the packages' own READMEs show has to compile as well.
        var programs = s_packages.SelectMany(p => Page.Read($"src/{p}/README.md").Blocks.Where(b => b.Language == "csharp")).ToList();
        Assert.Equal(s_packages.Length, programs.Count);
        static bool IsUsing(string line) => line.StartsWith("using ", StringComparison.Ordinal) && line.EndsWith(';') && !line.Contains('=', StringComparison.Ordinal);
        var usings = programs.SelectMany(p => p.Text.Split('\n')).Where(IsUsing).Distinct();
        File.WriteAllText(Path.Combine(_folder, "Readmes.cs"), $"{string.Join('\n', usings)}\nstatic class Readmes\n{{\n"
            + string.Concat(programs.Select((p, n) => $"static void Block{n}()\n{{\n{string.Join('\n', p.Text.Split('\n').Where(l => !IsUsing(l)))}\n}}\n")) + "}\n");
        File.WriteAllText(Path.Combine(_folder, "nuget.config"),
            $"<configuration><packageSources><clear /><add key=\"feed\" value=\"{feed.Folder}\" /></packageSources><config><add key=\"globalPackagesFolder\" value=\"{_folder}/packages\" /></config></configuration>");
        var build = Binary.Run("dotnet", null, "build", _folder, "-o", Path.Combine(_folder, "out"), "--nologo", "-v", "quiet", "-nodeReuse:false", "-p:UseAppHost=false");
        Assert.True(build.Code == 0, build.Out + build.Err);

        var before = _ns.Links();
        var run = Binary.Run("dotnet", null, Path.Combine(_folder, "out", "links.dll"), _ns.Name);
        Assert.True(run.Code == 0, run.Out + run.Err);
        Assert.Equal(["Create vm-a1: not there yet", "vm-a1 is up, for user 1000, with many queues", "0 taps left"], run.Out.TrimEnd('\n').Split('\n'));
        Assert.Equal(before, _ns.Links());
    }

    [Fact]
    public void What_the_page_of_the_library_shows_is_the_sample()
    {
        var sample = File.ReadAllText(Path.Combine(Binary.Root, "samples", "links", "Program.cs"));
        var blocks = Page.Read("docs/dotnet.md").Blocks.Where(b => b.Language == "csharp").ToList();
        Assert.NotEmpty(blocks);
        Assert.All(blocks, b => Assert.Contains(b.Text, sample, StringComparison.Ordinal));
    }

    [Fact]
    public void A_public_member_that_the_API_files_do_not_name_fails_the_build()
    {
        foreach (var file in (string[])["Directory.Build.props", "Directory.Packages.props", "global.json", "src/Package.props"])
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(_folder, file))!);
            File.Copy(Path.Combine(Binary.Root, file), Path.Combine(_folder, file));
        }
        var project = Directory.CreateDirectory(Path.Combine(_folder, "src", "Microvm.Linux")).FullName;
        var from = Path.Combine(Binary.Root, "src", "Microvm.Linux");
        foreach (var file in Directory.GetFiles(from, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(from, f)).Where(f => f.Split('/')[0] is not ("bin" or "obj")))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(project, file))!);
            File.Copy(Path.Combine(from, file), Path.Combine(project, file));
        }
        File.WriteAllText(Path.Combine(project, "Added.cs"), "namespace Microvm.Linux;\n/// <summary>New.</summary>\npublic static class Added\n{\n}\n");
        var build = Binary.Run("dotnet", null, "build", project, "--nologo", "-v", "quiet", "-nodeReuse:false");
        Assert.NotEqual(0, build.Code);
        Assert.Contains("RS0016: Symbol 'Microvm.Linux.Added'", build.Out, StringComparison.Ordinal);
        Assert.Single(build.Out.Split('\n').Where(l => l.Contains(": error ", StringComparison.Ordinal)).Distinct());
    }
}

/// <summary>The packages in a folder of their own, packed once.</summary>
public sealed class PackageFeed : IDisposable
{
    public string Folder { get; } = Directory.CreateTempSubdirectory("microvm-feed-").FullName;
    public string Version { get; } = XDocument.Load(Path.Combine(Binary.Root, "Directory.Build.props")).Descendants("Version").Single().Value;

    public PackageFeed()
    {
        // What was built with these tests is what is packed.
        var configuration = AppContext.BaseDirectory.Contains("/Release/", StringComparison.Ordinal) ? "Release" : "Debug";
        var pack = Binary.Run("dotnet", null, "pack", Path.Combine(Binary.Root, "Microvm.slnx"), "--no-build", "-c", configuration, "-o", Folder, "--nologo", "-v", "quiet", "-nodeReuse:false");
        Assert.True(pack.Code == 0, pack.Out + pack.Err);
    }

    public string File(string package, string extension) => Path.Combine(Folder, $"{package}.{Version}.{extension}");
    public void Dispose() => Directory.Delete(Folder, true);
}
