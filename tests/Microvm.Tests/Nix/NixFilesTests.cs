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
        // Those are wrong on purpose.
        foreach (var file in files.Where(f => !f.StartsWith("tests/Mistakes/", StringComparison.Ordinal)))
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
    public void The_guest_modules_runner_is_what_our_binary_builds_with_the_users_lines_in_their_places()
    {
        using var folder = new Folder();
        // As nix runs it: the declaration in a file, $out to be made. What stands for the package is this binary.
        var package = Path.GetDirectoryName(folder.File("x", ""))!;
        Directory.CreateDirectory(Path.Combine(package, "bin"));
        File.CreateSymbolicLink(Path.Combine(package, "bin", "microvm"), Binary.Path);
        var script = Text("runners", "qemu", "script").Replace("/nix/store/00000000000000000000000000000000-microvm-net", package, StringComparison.Ordinal);
        var declaration = folder.File("declaration", Text("runners", "qemu", "declaration"));
        var built = Binary.Run("env", null, $"declarationPath={declaration}", $"out={package}/result", "bash", "-euc", $"patchShebangs() {{ :; }}\n{script}");
        Assert.True(built.Code == 0, built.Out + built.Err);
        Assert.Superset(new HashSet<string> { "microvm-run", "microvm-shutdown", "tap-up", "tap-down", "macvtap-up", "macvtap-down" },
            Directory.GetFiles($"{package}/result/bin").Select(f => Path.GetFileName(f)).ToHashSet());
        var up = File.ReadAllText($"{package}/result/bin/tap-up");
        var order = new[] { "echo before", " up --user microvm --only tap", "echo between", "echo after" }.Select(l => up.IndexOf(l, StringComparison.Ordinal)).ToList();
        Assert.True(order[0] >= 0 && order.SequenceEqual(order.Order()), up);
        Assert.DoesNotContain("never", up, StringComparison.Ordinal);
        Assert.Equal("echo mine", File.ReadAllLines($"{package}/result/bin/tap-down").Last());
    }

    /// <summary>All but vfkit, which needs macOS.</summary>
    public static TheoryData<string> Hypervisors => [.. Microvm.Declaration.MicrovmOptions.Hypervisors.Where(h => h != "vfkit")];

    [Theory]
    [MemberData(nameof(Hypervisors))]
    public void The_guest_module_has_a_runner_for_every_hypervisor_of_a_declaration_that_passes(string hypervisor)
    {
        Assert.Equal($"microvm-{hypervisor}-web", Text("runners", hypervisor, "name"));
        var checks = Binary.Run(Binary.Path, Text("runners", hypervisor, "declaration"), "check", "-");
        Assert.True(checks.Code == 0, checks.Err);
    }

    [Fact]
    public void The_host_modules_units_are_those_that_host_install_writes()
    {
        using var folder = new Folder();
        var root = Path.GetDirectoryName(folder.File("x", ""))!;
        Assert.Equal(0, Binary.Microvm("host", "install", "--root", root, "--prefix", "/usr", "--binary", "/nix/store/00000000000000000000000000000000-microvm-net/bin/microvm").Code);
        var written = Directory.GetFiles(Path.Combine(root, "usr/lib/systemd/system")).Where(f => Path.GetExtension(f) is ".service" or ".timer").ToDictionary(f => Path.GetFileName(f), File.ReadAllText);
        var units = s_checks.Value.GetProperty("units").EnumerateObject().ToDictionary(u => u.Name, u => u.Value.GetString()!);
        Assert.Equal(written.Keys.Order(), units.Keys.Order());
        Assert.Contains("microvm-interfaces@.service", units.Keys);
        // NixOS alone reads this line: a rebuild of the host leaves running VMs alone.
        Assert.All(units, u => Assert.Equal(written[u.Key], u.Value.Replace("[Service]\nX-RestartIfChanged=false\n", "[Service]\n", StringComparison.Ordinal)));
    }

    [Fact]
    public void The_host_module_makes_interfaces_by_a_service_dependency_of_the_vm()
    {
        var vm = Text("units", "microvm@.service").Split('\n');
        foreach (var kind in (string[])["tap", "macvtap"])
        {
            var unit = $"microvm-{kind}-interfaces@%i.service";
            foreach (var key in (string[])["Wants=", "After="])
            {
                Assert.Contains(vm, l => l.StartsWith(key, StringComparison.Ordinal) && l.Split('=', ' ').Contains(unit));
            }
            Assert.Contains($"current/bin/{kind}-up", Text("units", unit.Replace("%i", "", StringComparison.Ordinal)), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_host_modules_networks_are_those_of_the_vms_that_it_evaluates()
    {
        using var folder = new Folder();
        var nixpkgs = Path.GetDirectoryName(folder.File("x", ""))!;
        Directory.CreateDirectory($"{nixpkgs}/nixos/lib");
        var prelude = $"lib = import {Binary.Root}/nix/standalone; pkgs = import {Binary.Root}/nix/standalone/packages.nix lib; nixos = {{ freeformType = lib.types.lazyAttrsOf lib.types.anything; options.boot.kernelParams = lib.mkOption {{ default = [ ]; }}; options.assertions = lib.mkOption {{ default = [ ]; }}; }};";
        folder.File("nixos/lib/eval-config.nix", $"{{ modules, ... }}: let {prelude} in lib.evalModules {{ modules = [ nixos {{ _module.args = {{ inherit pkgs; }}; }} ] ++ modules; }}");
        var declaration = Eval($$"""
            let
              {{prelude}}
              vm = more: { nixpkgs = {{nixpkgs}}; config = { microvm = { kernel = "/nix/store/00000000000000000000000000000000-linux"; initrdPath = "/boot/initrd"; } // more; }; };
              host = {
                microvm.networks.home = { addresses = [ "10.20.0.1/24" ]; domain = "home.internal"; };
                microvm.vms.web = vm { interfaces = [ { type = "tap"; id = "vm-web"; mac = "02:00:00:00:00:01"; network = "home"; } ]; networks.lab.nat = false; };
              };
            in (lib.evalModules { modules = [ nixos { _module.args = { inherit pkgs; }; } {{Binary.Root}}/nix/modules/host/options.nix host ]; }).config.microvm.vms.web.config.config.microvm.declaration
            """).GetRawText();
        var microvm = JsonDocument.Parse(declaration).RootElement.GetProperty("microvm");
        Assert.Equal("home.internal", microvm.GetProperty("networks").GetProperty("home").GetProperty("domain").GetString());
        Assert.False(microvm.GetProperty("networks").GetProperty("lab").GetProperty("nat").GetBoolean());
        var checks = Binary.Run(Binary.Path, declaration, "check", "-");
        Assert.True(checks.Code == 0, checks.Err);
    }

    [Fact]
    public void The_guest_module_hands_on_a_null_bridge_only_where_it_was_written_down() =>
        Assert.Equal("""[{},{"bridge":null},{"bridge":null},{"bridge":"br0"},{}]""", s_checks.Value.GetProperty("attached").GetRawText());

    [Fact]
    public void The_guest_module_hands_on_what_was_written_and_what_nixos_computes_and_nothing_else()
    {
        var microvm = Eval($$"""
            let
              lib = import {{Binary.Root}}/nix/standalone;
              tap = id: { type = "tap"; inherit id; mac = "02:00:00:00:00:01"; };
              nixos = { freeformType = lib.types.lazyAttrsOf lib.types.anything; options.boot.kernelParams = lib.mkOption { default = [ ]; }; options.assertions = lib.mkOption { default = [ ]; }; };
              mine = {
                options.microvm.mine = lib.mkOption { type = lib.types.str; default = "an option of the configuration's own"; };
                config.networking.hostName = "web";
                config.microvm = {
                  kernel = "/nix/store/00000000000000000000000000000000-linux"; initrdPath = "/boot/initrd"; hypervisor = "kvmtool";
                  machineId = null; socket = null; user = null; mem = lib.mkDefault 512; hotplugMem = 8; crosvm.extraArgs = [ "x" ]; virtiofsd.group = null;
                  shares = [ { tag = "home"; source = "home"; mountPoint = "/home"; proto = "virtiofs"; } ];
                  interfaces = [
                    (tap "plain" // { tap.vhost = false; user.kernelIp = false; macvtap.link = "eth0"; })
                    (tap "fast" // { tap.vhost = true; bridge = "br0"; })
                    { type = "macvtap"; id = "m"; mac = "02:00:00:00:00:02"; bridge = null; macvtap = { link = "eth0"; mode = "source"; sourceMacs = [ "02:00:00:00:00:03" ]; }; }
                    { type = "user"; id = "u"; mac = "02:00:00:00:00:04"; user.kernelIp = true; }
                  ];
                };
              };
            in (lib.evalModules { modules = [ nixos { _module.args.pkgs = import {{Binary.Root}}/nix/standalone/packages.nix lib; } {{Binary.Root}}/nix/modules/microvm mine ]; }).config.microvm.declaration.microvm
            """);
        Assert.Equal(
            [
                """{"id":"plain","mac":"02:00:00:00:00:01","type":"tap"}""",
                """{"bridge":"br0","id":"fast","mac":"02:00:00:00:00:01","tap":{"vhost":true},"type":"tap"}""",
                """{"id":"m","mac":"02:00:00:00:00:02","macvtap":{"link":"eth0","mode":"source","sourceMacs":["02:00:00:00:00:03"]},"type":"macvtap"}""",
                """{"id":"u","mac":"02:00:00:00:00:04","type":"user","user":{"kernelIp":true}}""",
            ], microvm.GetProperty("interfaces").EnumerateArray().Select(i => i.GetRawText()));
        // A null that is a choice, a default that only NixOS can tell; no null that means nothing, no default of our own, no other hypervisor.
        Assert.All((string[])["machineId", "socket"], name => Assert.Equal(JsonValueKind.Null, microvm.GetProperty(name).ValueKind));
        Assert.Equal(JsonValueKind.Null, microvm.GetProperty("virtiofsd").GetProperty("group").ValueKind);
        Assert.Equal(8, microvm.GetProperty("hotpluggedMem").GetInt32());
        Assert.Equal("web-virtiofs-home.sock", microvm.GetProperty("shares")[0].GetProperty("socket").GetString());
        Assert.Equal(JsonValueKind.String, microvm.GetProperty("kvmtool").GetProperty("package").ValueKind);
        Assert.All((string[])["mem", "vcpu", "qemu", "crosvm", "graphics", "mine", "runner", "vmHostPackages"], name => Assert.False(microvm.TryGetProperty(name, out _), name));
        var check = Binary.Run(Binary.Path, $$$"""{"networking":{"hostName":"web"},"microvm":{"vcpu":1,"shares":{{{microvm.GetProperty("shares").GetRawText()}}},"virtiofsd":{{{microvm.GetProperty("virtiofsd").GetRawText()}}}}}""", "check", "-");
        Assert.True(check.Code == 0, check.Err);
    }

    [Fact]
    public void The_host_module_gives_the_bridge_helper_its_one_capability()
    {
        var wrapper = s_checks.Value.GetProperty("wrapper");
        Assert.Equal("cap_net_admin+ep", wrapper.GetProperty("capabilities").GetString());
        Assert.EndsWith("/qemu-bridge-helper", wrapper.GetProperty("source").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void The_host_module_installs_its_vms_and_makes_the_units_exceptions_for_them()
    {
        Assert.Equal("""["microvm@bridged.service","microvm@guest.service","microvm@jailed.service","microvm@user.service","microvm@web.service"]""", s_checks.Value.GetProperty("wants").GetRawText());
        Assert.Contains("ln -sfT /nix/store/", Text("install"));
        Assert.Contains("-microvm-qemu-web current", Text("installOurs"));
        Assert.Equal("allow all\n", Text("bridges"));
        // As in the drop-ins that 'microvm host' writes elsewhere.
        foreach (var (vm, dropIn) in (IEnumerable<(string, string)>)[("bridged", "bridge-helper"), ("user", "user-network"), ("jailed", "own-sandbox")])
        {
            var settings = s_checks.Value.GetProperty(vm).EnumerateObject().Where(s => s.Name != "X-RestartIfChanged").Select(s => $"{s.Name}={s.Value.GetString()}");
            Assert.Equal(Host.Systemd.UnitTemplates.DropIn(dropIn).Split('\n').Where(l => l.Contains('=') && !l.StartsWith('#')).Order(), settings.Order());
        }
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
    public void The_template_declares_a_guest_and_a_host_that_starts_it()
    {
        var template = Eval($$"""
            let
              lib = import {{Binary.Root}}/nix/standalone;
              package = { type = "derivation"; name = "microvm-net"; outPath = "/nix/store/00000000000000000000000000000000-microvm-net"; meta.mainProgram = "microvm"; };
              pkgs = import {{Binary.Root}}/nix/standalone/packages.nix lib // {
                callPackage = _: _: package;
                runCommand = name: environment: script: environment // { type = "derivation"; inherit name script; outPath = "/nix/store/00000000000000000000000000000000-${name}"; };
              };
              nixos = {
                freeformType = lib.types.lazyAttrsOf lib.types.anything;
                options = lib.genAttrs [ "assertions" ] (_: lib.mkOption { type = lib.types.listOf lib.types.unspecified; default = [ ]; }) // {
                  networking.hostName = lib.mkOption { type = lib.types.str; };
                  boot.kernelParams = lib.mkOption { type = lib.types.listOf lib.types.str; default = [ ]; };
                  systemd.units = lib.mkOption { type = lib.types.attrsOf lib.types.unspecified; default = { }; };
                  systemd.services = lib.mkOption { type = lib.types.attrsOf lib.types.unspecified; default = { }; };
                };
                config = { boot.kernelPackages.kernel = "/nix/store/00000000000000000000000000000000-linux"; system.boot.loader.initrdFile = "initrd"; system.build = lib.genAttrs [ "initialRamdisk" "toplevel" ] (n: "/nix/store/00000000000000000000000000000000-${n}"); };
              };
              nixpkgs.lib = lib // { nixosSystem = { system, modules }: lib.evalModules { modules = [ nixos { _module.args = { inherit pkgs; }; } ] ++ modules; }; };
              ours = (import {{Binary.Root}}/flake.nix).outputs { self = ours; inherit nixpkgs; };
              flake = import {{Binary.Root}}/templates/default/flake.nix;
              self = flake.outputs { inherit self nixpkgs; microvm-net = ours; } // { outPath = "/nix/store/00000000000000000000000000000000-source"; };
              host = self.nixosConfigurations.my-host.config;
            in {
              inputs = flake.inputs.microvm-net.url;
              declaration = self.packages.x86_64-linux.my-microvm.declaration;
              wants = host.systemd.targets.microvms.wants;
              install = host.systemd.services.install-microvm-my-microvm.script;
              failed = builtins.filter (a: !a.assertion) (host.assertions ++ self.nixosConfigurations.my-microvm.config.assertions);
            }
            """);
        Assert.StartsWith("github:example/", template.GetProperty("inputs").GetString(), StringComparison.Ordinal);
        var check = Binary.Run(Binary.Path, template.GetProperty("declaration").GetString(), "check", "-");
        Assert.True(check.Code == 0, check.Err);
        Assert.Equal("""["microvm@my-microvm.service"]""", template.GetProperty("wants").GetRawText());
        Assert.Contains("-microvm-qemu-my-microvm current", template.GetProperty("install").GetString(), StringComparison.Ordinal);
        Assert.Equal(0, template.GetProperty("failed").GetArrayLength());
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
