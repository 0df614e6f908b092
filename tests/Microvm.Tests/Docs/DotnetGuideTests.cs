namespace Microvm.Tests;

public sealed class DotnetGuideTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("microvm-guide-").FullName;
    private readonly Namespace _ns = new();
    public void Dispose()
    {
        _ns.Dispose();
        Directory.Delete(_folder, true);
    }

    [Fact]
    public void The_programs_of_the_dotnet_guide_compile_and_run_in_a_namespace()
    {
        var programs = Page.Read("docs/dotnet.md").Blocks.Where(b => b.Language == "csharp" && b.NotRun is null).ToList();
        Assert.NotEmpty(programs);
        // All in one project, each a method of its own, so that it is built once.
        var usings = programs.SelectMany(p => p.Text.Split('\n')).Where(l => l.StartsWith("using ", StringComparison.Ordinal) && l.EndsWith(';') && !l.Contains('=') && !l.StartsWith("using var", StringComparison.Ordinal)).Distinct().ToList();
        var methods = programs.Select((p, n) => $"static void Block{n}()\n{{\n#line {p.Line + 1} \"docs/dotnet.md\"\n{string.Join('\n', p.Text.Split('\n').Select(l => usings.Contains(l) ? "" : l))}\n}}");
        File.WriteAllText(Path.Combine(_folder, "Program.cs"),
            $"{string.Join('\n', usings)}\n{string.Concat(programs.Select((_, n) => $"Block{n}();\n"))}{string.Join('\n', methods)}\n");
        var references = string.Concat(Directory.GetFiles(AppContext.BaseDirectory, "Microvm.*.dll").Where(f => !Path.GetFileName(f).Contains("Tests"))
            .Select(f => $"<Reference Include=\"{Path.GetFileNameWithoutExtension(f)}\"><HintPath>{f}</HintPath></Reference>"));
        File.WriteAllText(Path.Combine(_folder, "guide.csproj"),
            $"<Project Sdk=\"Microsoft.NET.Sdk\"><PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings><Nullable>enable</Nullable></PropertyGroup><ItemGroup>{references}</ItemGroup></Project>");
        var build = Binary.Run("dotnet", null, "build", _folder, "-o", Path.Combine(_folder, "out"), "--nologo", "-v", "quiet", "-nodeReuse:false");
        Assert.True(build.Code == 0, build.Out + build.Err);
        var run = Binary.Run("ip", null, "netns", "exec", _ns.Name, "dotnet", Path.Combine(_folder, "out", "guide.dll"));
        Assert.True(run.Code == 0, run.Out + run.Err);
        Assert.Contains("vm-a1", run.Out);
        Assert.DoesNotContain("vm-a1", _ns.Links());
    }
}
