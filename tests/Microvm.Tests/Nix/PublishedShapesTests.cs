using Microvm.Declaration;

namespace Microvm.Tests;

/// <summary>The shapes that people publish their declarations in: tests/Declarations, each a folder with what comes out of it.</summary>
public sealed class PublishedShapesTests
{
    private static readonly string s_root = Path.Combine(Binary.Root, "tests", "Declarations");

    /// <summary>One row for each folder.</summary>
    public static TheoryData<string> Shapes => [.. Directory.GetDirectories(s_root).Select(d => Path.GetFileName(d)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Each_shape_gives_its_interfaces_by_name_or_its_message(string shape)
    {
        var folder = Path.Combine(s_root, shape);
        var expected = File.ReadAllLines(Path.Combine(folder, "expected"));
        var words = expected[0].Split(' ')[1..];
        var file = words.Length == 0 ? folder : words[0].StartsWith('#') ? folder + words[0] : Path.Combine(folder, words[0]);
        var outcome = Binary.Run("env", null, ["-u", "NIX_PATH", Binary.Path, "check", file, .. words.Skip(1)]);
        foreach (var said in expected.Where(l => l.StartsWith("says ", StringComparison.Ordinal)))
        {
            Assert.Contains(said[5..], outcome.Out + outcome.Err, StringComparison.Ordinal);
        }
        // What names options without effect names them once.
        Assert.True((outcome.Out + outcome.Err).Split("without effect here").Length <= 2, outcome.Out + outcome.Err);
        if (expected.FirstOrDefault(l => l.StartsWith("fleet ", StringComparison.Ordinal)) is { } fleet)
        {
            Assert.Equal(fleet[6..], Fleet(file, words));
        }
        var vms = expected.Where(l => l.StartsWith("vm ", StringComparison.Ordinal)).Select(l => l[3..]).ToList();
        if (vms.Count == 0)
        {
            return;
        }
        Assert.True(outcome.Code == 0, outcome.Out + outcome.Err);
        Assert.Equal(vms, Interfaces(file, words));
    }

    /// <summary>With nixpkgs at hand, its lib and its module system serve in place of ours, and the same has to come out.</summary>
    [Theory]
    [MemberData(nameof(Shapes))]
    public void Each_shape_comes_to_the_same_with_the_lib_and_the_modules_of_nixpkgs(string shape)
    {
        Assert.SkipWhen(shape is "the-stand-ins-nixpkgs", "it imports <nixpkgs> itself, and a published lib is no whole nixpkgs");
        Assert.SkipWhen(shape is "names-from-another-value", "nixpkgs' freeform type asks for the names first; the option that is not declared would be an error in NixOS");
        var folder = Path.Combine(s_root, shape);
        var words = File.ReadLines(Path.Combine(folder, "expected")).First().Split(' ')[1..];
        var file = words.Length == 0 ? folder : words[0].StartsWith('#') ? folder + words[0] : Path.Combine(folder, words[0]);
        string Plan(params string[] environment)
        {
            var outcome = Binary.Run("env", null, [.. environment, Binary.Path, "plan", "--json", file, .. words.Skip(1)]);
            Assert.DoesNotContain("needs a newer nix", outcome.Err, StringComparison.Ordinal);
            return $"{outcome.Code}: {outcome.Out}";
        }
        var usable = NixpkgsLibTests.PublishedForThisNix();
        Assert.Equal(Plan("-u", "NIX_PATH"), Plan($"NIX_PATH=nixpkgs={usable}"));
    }

    /// <summary>Which VMs start with the host, which are restarted by a change, and where they are.</summary>
    private static string Fleet(string file, string[] words)
    {
        var fleet = FleetReader.Read(Open(file, words, out _), new())!;
        string Where(Func<FleetVm, bool> isSo) => string.Join(' ', fleet.Vms.Where(isSo).Select(v => v.Name).Order(StringComparer.Ordinal));
        return $"in {fleet.StateDirectory ?? "the usual directory"}; autostart: {Where(v => v.Autostart)}; restartIfChanged: {Where(v => v.RestartIfChanged)}";
    }

    private static IEnumerable<string> Interfaces(string file, string[] words)
    {
        var node = Open(file, words, out var bag);
        List<MicrovmConfig> vms = FleetReader.IsFleet(node) ? [.. FleetReader.Read(node, bag)!.Vms.Select(v => v.Config).OfType<MicrovmConfig>()] : [];
        if (FleetReader.Guest(node) is { } guest)
        {
            vms.Add(new DeclarationReader(bag).Read(guest)!);
        }
        Assert.False(bag.HasErrors, string.Join('\n', bag.All));
        return vms.Select(v => $"{v.Name}: {string.Join(' ', v.Interfaces.Select(i => i.Id.Value))}").Order(StringComparer.Ordinal);
    }

    private static Node Open(string file, string[] words, out DiagnosticBag bag)
    {
        bag = new();
        var given = words.Skip(1).Chunk(3).Select(w => new Nix.NixArgument(w[1], w[2], w[0] == "--argstr")).ToList();
        var options = new Nix.NixOptions { Arguments = given };
        var node = file.Contains('#') ? Nix.NixFrontDoor.ReadFlake(file, options, bag) : Nix.NixFrontDoor.Read(file, options, bag);
        Assert.True(node is not null, string.Join('\n', bag.All));
        return node;
    }
}
