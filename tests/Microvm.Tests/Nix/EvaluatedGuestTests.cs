using System.Diagnostics;
using System.Text.Json;

namespace Microvm.Tests;

/// <summary>What a VM starts from comes out of the flake's own NixOS; and what else a flake or an argument gives is used, kept, or named.</summary>
public sealed class EvaluatedGuestTests
{
    private static string Shape(string name) => Path.Combine(Binary.Root, "tests", "Declarations", name);

    private static Binary.Outcome Microvm(params string[] words) => Binary.Run("env", null, ["-u", "NIX_PATH", Binary.Path, .. words]);

    [Fact]
    public void A_flakes_nixos_gives_kernel_initrd_and_parameters_to_who_starts_the_vm()
    {
        var command = Microvm("command", "--json", $"{Shape("a-nixos-that-is-evaluated")}#web");
        Assert.True(command.Code == 0, command.Err);
        var words = JsonDocument.Parse(command.Out).RootElement.EnumerateArray().Select(w => w.GetString()!).ToList();
        Assert.Matches("^/nix/store/[a-z0-9]{32}-linux(-dev/vmlinux|/bzImage|/Image)$", words[words.IndexOf("-kernel") + 1]);
        Assert.Matches("^/nix/store/[a-z0-9]{32}-initrd/initrd$", words[words.IndexOf("-initrd") + 1]);
        Assert.Matches("quiet init=/nix/store/[a-z0-9]{32}-nixos-system-web/init", words[words.IndexOf("-append") + 1]);
        Assert.Contains("it is not built yet; build it: nix build --no-link", command.Err, StringComparison.Ordinal);
        Assert.Contains("#nixosConfigurations.web.config.system.build.toplevel", command.Err, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_and_build_say_how_what_is_not_in_the_store_is_built()
    {
        using var folder = new Folder();
        var flake = $"{Shape("a-nixos-that-is-evaluated")}#web";
        var run = Microvm("run", "--dry-run", flake);
        Assert.Equal(1, run.Code);
        Assert.Contains("build it: nix build --no-link", run.Out + run.Err, StringComparison.Ordinal);
        var output = Path.Combine(Path.GetDirectoryName(folder.File("x", ""))!, "runner");
        var build = Microvm("build", flake, "-o", output);
        Assert.True(build.Code == 0, build.Err);
        Assert.Contains("build it: nix build --no-link", build.Err, StringComparison.Ordinal);
        Assert.True(File.Exists($"{output}/bin/microvm-run"));
        Assert.Contains("-initrd/initrd", File.ReadAllText($"{output}/share/microvm/declaration.json"), StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_kernel_a_file_says_which_option_to_set_or_which_flake_to_name_and_a_flake_says_what_it_lacks()
    {
        using var folder = new Folder();
        var file = folder.File("vm.nix", """{ microvm.interfaces = [ { type = "tap"; id = "vm-web"; mac = "02:00:00:00:00:01"; } ]; }""");
        foreach (var verb in (string[])["command", "run", "build"])
        {
            var plain = verb == "build" ? Microvm(verb, file, "-o", file + ".runner") : Microvm(verb, file);
            Assert.Contains("set it to the path of a kernel image, and microvm.initrdPath", plain.Err, StringComparison.Ordinal);
            Assert.Contains("DIR#NAME", plain.Err, StringComparison.Ordinal);
        }
        Assert.Contains("the flake's nixpkgs is not on this machine", Microvm("command", $"{Shape("vms-by-flake/guests")}#here").Err, StringComparison.Ordinal);
    }

    [Fact]
    public void An_update_evaluates_a_vm_with_the_arguments_that_it_was_created_with()
    {
        using var folder = new Folder();
        var file = folder.File("vm.nix", """
            { tap, memory, ... }: { microvm.kernel = "/k"; microvm.mem = memory; microvm.interfaces = [ { type = "tap"; id = tap; mac = "02:00:00:00:00:01"; } ]; }
            """);
        var state = Path.Combine(Path.GetDirectoryName(file)!, "state");
        Binary.Outcome Good(params string[] words)
        {
            var outcome = Microvm(words);
            Assert.True(outcome.Code == 0, outcome.Out + outcome.Err);
            return outcome;
        }
        string Declaration() => File.ReadAllText(Path.Combine(state, ".host/web/current/share/microvm/declaration.json"));
        Good("create", "web", "--state-dir", state, "--file", file, "--argstr", "tap", "vm-a\\b", "--arg", "memory", "\n700");
        Assert.Contains("700", Declaration(), StringComparison.Ordinal);
        Assert.Contains("is current", Good("update", "web", "--state-dir", state).Out, StringComparison.Ordinal);
        File.WriteAllText(file, File.ReadAllText(file).Replace("\"/k\"", "\"/other\"", StringComparison.Ordinal));
        Good("update", "web", "--state-dir", state);
        Assert.Contains("/other", Declaration(), StringComparison.Ordinal);
        Assert.Contains("vm-a\\\\b", Declaration(), StringComparison.Ordinal);
        Good("update", "web", "--state-dir", state, "--argstr", "tap", "vm-c", "--arg", "memory", "800");
        Good("update", "web", "--state-dir", state);
        Assert.Contains("vm-c", Declaration(), StringComparison.Ordinal);
        Assert.Contains("800", Declaration(), StringComparison.Ordinal);
    }

    [Fact]
    public void An_input_of_the_store_is_found_by_its_hash()
    {
        using var folder = new Folder();
        var root = Path.GetDirectoryName(folder.File("flake.nix", """
            { inputs.tuning.url = "github:example/tuning"; outputs = { self, tuning }: { nixosModules.web = { microvm.interfaces = [ { type = "tap"; id = tuning.tap; mac = "02:00:00:00:00:01"; } ]; }; }; }
            """))!;
        var source = Directory.CreateDirectory(Path.Combine(root, "source")).FullName;
        File.WriteAllText(Path.Combine(source, "flake.nix"), $"{{ outputs = {{ self }}: {{ tap = \"vm-stored\"; id = \"{Guid.NewGuid()}\"; }}; }}");
        var hash = Binary.Run("nix", null, "--extra-experimental-features", "nix-command", "hash", "path", source).Out.Trim();
        var lockFile = $$"""
            {"version":7,"root":"root","nodes":{"root":{"inputs":{"tuning":"tuning"} },"tuning":{"locked":{"type":"github","owner":"example","repo":"tuning","rev":"{{new string('0', 40)}}","narHash":"{{hash}}"} } } }
            """;
        File.WriteAllText(Path.Combine(root, "flake.lock"), lockFile);
        var stored = Binary.Run("nix-store", null, "--add", source);
        Assert.True(stored.Code == 0, stored.Err);
        try
        {
            var check = Microvm("plan", "--json", $"{root}#web");
            Assert.Contains("vm-stored", check.Out + check.Err, StringComparison.Ordinal);
        }
        finally
        {
            Binary.Run("nix-store", null, "--delete", stored.Out.Trim());
        }
    }

    [Fact]
    public void A_flake_that_has_to_be_fetched_is_refused_at_once_and_an_input_that_is_missing_is_named()
    {
        var clock = Stopwatch.StartNew();
        var remote = Microvm("check", "github:example/infra#web");
        Assert.Equal(2, remote.Code);
        Assert.Contains("--online", remote.Out + remote.Err, StringComparison.Ordinal);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(2), $"it took {clock.Elapsed}");
        using var folder = new Folder();
        var flake = folder.File("flake.nix", """{ inputs.fleet.url = "github:example/fleet"; outputs = { self, fleet }: { nixosConfigurations.web = fleet.lib.host "web"; }; }""");
        clock.Restart();
        var missing = Microvm("check", $"{Path.GetDirectoryName(flake)}#web");
        Assert.Contains("the input 'fleet' of", missing.Out + missing.Err, StringComparison.Ordinal);
        Assert.InRange(missing.Out.Length + missing.Err.Length, 1, 700);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(5), $"it took {clock.Elapsed}");
    }

    [Fact]
    public void A_vm_whose_flake_is_not_here_is_told_apart_in_json_too()
    {
        using var folder = new Folder();
        var file = folder.File("host.nix", """
            { microvm.vms.there.flake = "github:example/guests"; microvm.vms.web.config = { microvm.interfaces = [ { type = "tap"; id = "vm-web"; mac = "02:00:00:00:00:01"; } ]; }; }
            """);
        var check = Microvm("check", file);
        Assert.DoesNotContain("all right", check.Out, StringComparison.Ordinal);
        Assert.Contains("1 more was not looked at", check.Out, StringComparison.Ordinal);
        var report = JsonDocument.Parse(Microvm("check", "--json", file).Out).RootElement;
        Assert.Equal(["there"], report.GetProperty("notLookedAt").EnumerateArray().Select(n => n.GetString()));
        Assert.Equal(["web"], report.GetProperty("vms").EnumerateArray().Select(n => n.GetString()));
    }
}
