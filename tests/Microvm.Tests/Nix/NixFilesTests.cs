using System.Text.Json;

namespace Microvm.Tests;

/// <summary>The project's own Nix files: modules, flake, generated docs.</summary>
public sealed class NixFilesTests
{
    private static JsonElement Eval(string expression)
    {
        var outcome = Binary.Run("nix-instantiate", null, "--store", "dummy://", "--eval", "--json", "--strict", "--expr", expression);
        Assert.True(outcome.Code == 0, outcome.Err);
        return JsonDocument.Parse(outcome.Out).RootElement;
    }

    private static readonly Lazy<JsonElement> s_checks = new(() => Eval(
        $"let lib = import {Binary.Root}/nix/standalone; in import {Binary.Root}/nix/checks.nix {{ inherit lib; pkgs = import {Binary.Root}/nix/standalone/packages.nix lib; }}"));

    private static string Text(params string[] path) => path.Aggregate(s_checks.Value, (e, name) => e.GetProperty(name)).GetString()!;

    [Fact]
    public void Every_nix_file_parses()
    {
        var files = Binary.Run("git", null, "-C", Binary.Root, "ls-files", "*.nix").Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Contains("flake.nix", files);
        foreach (var file in files)
        {
            var outcome = Binary.Run("nix-instantiate", null, "--store", "dummy://", "--parse", Path.Combine(Binary.Root, file));
            Assert.True(outcome.Code == 0, outcome.Err);
        }
    }

    [Fact]
    public void The_guest_module_takes_a_configurations_interfaces_and_finds_twins()
    {
        Assert.True(s_checks.Value.GetProperty("passed").GetBoolean());
        Assert.Equal(2, s_checks.Value.GetProperty("interfaces").GetArrayLength());
        Assert.Equal(2, s_checks.Value.GetProperty("failed").GetArrayLength());
        Assert.Equal("eth0", s_checks.Value.GetProperty("declaration")[1].GetProperty("macvtap").GetProperty("link").GetString());
    }

    [Fact]
    public void The_host_module_makes_interfaces_by_a_service_dependency_of_the_vm()
    {
        foreach (var kind in (string[])["tap", "macvtap"])
        {
            Assert.Contains(s_checks.Value.GetProperty("units").EnumerateArray(), u => u.GetString() == $"microvm-{kind}-interfaces@");
            Assert.Contains(s_checks.Value.GetProperty("vmUnit").GetProperty("requires").EnumerateArray(), u => u.GetString() == $"microvm-{kind}-interfaces@%i.service");
            Assert.Contains(s_checks.Value.GetProperty("vmUnit").GetProperty("after").EnumerateArray(), u => u.GetString() == $"microvm-{kind}-interfaces@%i.service");
        }
        Assert.Equal("/var/lib/microvms/%i/current/bin/tap-up", Text("tapUnit", "ExecStart"));
        Assert.Equal("/var/lib/microvms/%i/booted/bin/tap-down", Text("tapUnit", "ExecStop"));
        Assert.Equal("""["microvm@web.service"]""", s_checks.Value.GetProperty("wants").GetRawText());
        Assert.Contains("ln -sfT /nix/store/", Text("install"));
        Assert.Equal("allow all\n", Text("bridges"));
    }

    [Fact]
    public void Beside_microvm_nix_our_binary_takes_the_place_of_its_scripts_and_the_users_lines_stay()
    {
        var script = Text("scripts", "tap-up");
        Assert.DoesNotContain("ip tuntap add", script);
        var order = new[] { "echo first", "/bin/microvm up --user microvm --group kvm -", "ip link set dev vm-a1 master br0" }.Select(s => script.IndexOf(s, StringComparison.Ordinal)).ToArray();
        Assert.True(order[0] >= 0 && order[0] < order[1] && order[1] < order[2], script);
        Assert.Contains("/bin/microvm down -", Text("scripts", "tap-down"));
        Assert.Equal("echo mine", Text("scripts", "mine"));
        Assert.Equal("ip tuntap add", Text("scriptsOff", "tap-up"));
    }

    [Fact]
    public void The_declaration_in_such_a_script_passes_the_check()
    {
        var json = Text("scripts", "tap-up").Split('\n').Single(l => l.StartsWith('{'));
        Assert.Equal(0, Binary.Run(Binary.Path, json, "check", "-").Code);
    }

    [Fact]
    public void The_flakes_outputs_evaluate_with_inputs_of_our_own()
    {
        var outputs = Eval($$"""
            let
              lib = import {{Binary.Root}}/nix/standalone;
              flake = import {{Binary.Root}}/flake.nix;
              nixpkgs = { inherit lib; legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (_: { callPackage = f: _: { type = "derivation"; name = "microvm-net"; outPath = "/x"; }; }); };
              o = flake.outputs { self = o; inherit nixpkgs; };
            in { packages = builtins.attrNames o.packages.x86_64-linux; modules = lib.mapAttrs (_: builtins.pathExists) o.nixosModules; template = builtins.pathExists (o.templates.default.path + "/flake.nix"); mac = o.lib.mac "web"; checks = builtins.attrNames o.checks.x86_64-linux; }
            """);
        Assert.Equal("""["default","microvm"]""", outputs.GetProperty("packages").GetRawText());
        Assert.Equal("""{"host":true,"microvm":true,"microvm-nix":true}""", outputs.GetProperty("modules").GetRawText());
        Assert.True(outputs.GetProperty("template").GetBoolean());
        Assert.Equal(Binary.Microvm("mac", "web").Out.Trim(), outputs.GetProperty("mac").GetString());
    }

    [Fact]
    public void Every_option_has_a_type_a_description_and_an_example()
    {
        var options = Eval($"import {Binary.Root}/nix/options-doc.nix {{ lib = import {Binary.Root}/nix/standalone; }}").EnumerateArray().ToList();
        Assert.True(options.Count > 100);
        foreach (var option in options)
        {
            var name = option.GetProperty("name").GetString();
            Assert.True(option.GetProperty("type").GetString() is { Length: > 0 } type && type != "unspecified", $"{name} has no type");
            Assert.True(option.GetProperty("description").GetString() is { Length: > 5 }, $"{name} has no description");
            Assert.True(option.GetProperty("example").GetString() is { Length: > 0 }, $"{name} has no example");
        }
    }

    [Fact]
    public void The_options_page_is_what_the_declarations_say_now()
    {
        var outcome = Binary.Run(Path.Combine(Binary.Root, "scripts", "options-doc.sh"), null, "-");
        Assert.True(outcome.Code == 0, outcome.Err);
        Assert.Equal(File.ReadAllText(Path.Combine(Binary.Root, "docs", "options.md")), outcome.Out);
    }
}
