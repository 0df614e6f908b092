using System.Text.Json;

namespace Microvm.Tests;

/// <summary>nix/deps.json, with which nix restores without a network.</summary>
public sealed class NixLockTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("microvm-lock-").FullName;
    public void Dispose() => Directory.Delete(_folder, true);

    private static readonly string s_lock = Path.Combine(Binary.Root, "nix", "deps.json");

    [Fact]
    public void The_binary_restores_from_the_locked_packages_alone_and_wants_all_of_them()
    {
        var cache = Environment.GetEnvironmentVariable("NUGET_PACKAGES") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        var locked = JsonDocument.Parse(File.ReadAllText(s_lock)).RootElement.EnumerateArray()
            .Select(p => (Name: p.GetProperty("pname").GetString()!.ToLowerInvariant(), Version: p.GetProperty("version").GetString()!, Hash: p.GetProperty("hash").GetString()!))
            .Where(p => !p.Name.Contains("linux-arm64", StringComparison.Ordinal)).ToList();
        foreach (var (name, version, hash) in locked)
        {
            var package = Path.Combine(cache, name, version, $"{name}.{version}.nupkg");
            Assert.True(File.Exists(package), $"{package} is locked, and this build did not restore it");
            Assert.Equal($"sha512-{File.ReadAllText(package + ".sha512").Trim()}", hash);
            Directory.CreateDirectory(Path.Combine(_folder, "feed"));
            File.CreateSymbolicLink(Path.Combine(_folder, "feed", Path.GetFileName(package)), package);
        }
        foreach (var file in Binary.Run("git", null, "-C", Binary.Root, "ls-files", "src/*.csproj", "src/*.props", "Directory.*", "global.json").Out.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(_folder, file))!);
            File.Copy(Path.Combine(Binary.Root, file), Path.Combine(_folder, file));
        }
        var restore = Binary.Run("dotnet", null, "restore", Path.Combine(_folder, "src/Microvm.Cli/Microvm.Cli.csproj"), "-r", "linux-x64", "--source", Path.Combine(_folder, "feed"), "--packages", Path.Combine(_folder, "packages"), "-nodeReuse:false");
        Assert.True(restore.Code == 0, restore.Out);
        var restored = Directory.GetDirectories(Path.Combine(_folder, "packages")).SelectMany(Directory.GetDirectories).Select(d => Path.GetRelativePath(Path.Combine(_folder, "packages"), d));
        Assert.Equal(locked.Select(p => $"{p.Name}/{p.Version}").Order(StringComparer.Ordinal), restored.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_lock_is_what_its_script_writes_for_both_architectures()
    {
        var text = File.ReadAllText(s_lock);
        // The compiler and what it links with, on either.
        Assert.All((string[])["x64", "arm64"], a => Assert.All((string[])[$"runtime.linux-{a}.Microsoft.DotNet.ILCompiler", $"Microsoft.NETCore.App.Runtime.NativeAOT.linux-{a}"], p => Assert.Contains($"\"{p}\"", text, StringComparison.Ordinal)));
        if (Environment.GetEnvironmentVariable("MICROVM_TEST_ALL") is null)
        {
            Assert.Skip("It downloads the other architecture's compiler: ./test.sh --all");
        }
        var written = Binary.Run(Path.Combine(Binary.Root, "scripts", "nix-deps.sh"), null, "-");
        Assert.True(written.Code == 0, written.Err);
        Assert.Equal(text, written.Out);
    }
}
