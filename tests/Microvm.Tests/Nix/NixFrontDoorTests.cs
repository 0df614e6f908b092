namespace Microvm.Tests;

/// <summary>Declarations in Nix, through the real nix and the stand-in for nixpkgs' lib.</summary>
public sealed class NixFrontDoorTests : IDisposable
{
    private readonly Folder _folder = new();
    public void Dispose() => _folder.Dispose();

    private Binary.Outcome Check(string nix) => Binary.Microvm("check", "--json", _folder.File("vm.nix", nix));

    private void Passes(string nix)
    {
        var outcome = Check(nix);
        Assert.True(outcome.Code == 0, outcome.Out + outcome.Err);
    }

    /// <summary>The nix snippets of the specification, as they stand there.</summary>
    internal const string SpecificationTap = """
        {
          microvm.interfaces = [ {
            type = "tap";

            # interface name on the host
            id = "vm-a1";

            # Ethernet address of the MicroVM's interface, not the host's
            #
            # Locally administered have one of 2/6/A/E in the second nibble.
            mac = "02:00:00:00:00:01";
          } ];
        }
        """;

    private const string SpecificationScript = """
        microvm.binScripts.tap-up = lib.mkAfter ''
          ${lib.getExe' pkgs.iproute2 "ip"} link set dev 'vm-ixp-as11201p' master 'ixp-peering'
        '';
        """;

    [Fact]
    public void The_specifications_declaration_is_read_letter_for_letter() => Passes(SpecificationTap);

    [Fact]
    public void The_specifications_script_is_read_letter_for_letter() =>
        Passes("{ lib, pkgs, ... }: {\n" + SpecificationScript + "\nmicrovm.interfaces = [ { type = \"tap\"; id = \"vm-ixp-as11201p\"; mac = \"02:00:00:00:00:01\"; } ]; }");

    [Theory]
    [InlineData("vcpu = lib.mkIf true 2;")]
    [InlineData("vcpu = lib.mkMerge [ (lib.mkDefault 1) 2 ];")]
    [InlineData("vcpu = lib.mkOverride 10 2;")]
    [InlineData("vcpu = lib.mkForce (if lib.elem \"a\" [ \"a\" ] then 2 else 1);")]
    [InlineData("kernelParams = lib.mkBefore (lib.optional true \"a\" ++ lib.optionals false [ \"b\" ]);")]
    [InlineData("kernelParams = lib.mkAfter [ (lib.concatMapStringsSep \",\" toString (lib.range 1 3)) ];")]
    [InlineData("preStart = lib.optionalString true \"${lib.getExe pkgs.iproute2} link\";")]
    [InlineData("preStart = \"${pkgs.coreutils}/bin/true ${lib.escapeShellArg \"it's\"} ${pkgs.system}\";")]
    [InlineData("hypervisor = \"qemu\"; shares = lib.optional (builtins.elem config.microvm.hypervisor [ \"qemu\" ]) { tag = \"ro-store\"; source = \"/nix/store\"; mountPoint = \"/nix/.ro-store\"; };")]
    [InlineData("writableStoreOverlay = \"/nix/.rw-store\"; volumes = [ { image = \"a.img\"; mountPoint = config.microvm.writableStoreOverlay; size = 2048; } ];")]
    [InlineData("interfaces = lib.imap0 (i: name: { type = \"tap\"; id = \"vm-${name}\"; mac = \"02:00:00:00:00:0${toString i}\"; }) [ \"a\" \"b\" ];")]
    [InlineData("interfaces = lib.mapAttrsToList (id: mac: { type = \"tap\"; inherit id mac; }) { a = \"02:00:00:00:00:01\"; };")]
    [InlineData("interfaces = [ (lib.mkIf false 5) ({ type = \"user\"; id = \"u\"; mac = \"02:00:00:00:00:01\"; } // lib.optionalAttrs false { id = 5; }) ];")]
    public void What_configurations_use_evaluates(string microvm) =>
        Passes($"{{ lib, pkgs, config, ... }}: {{ microvm.mem = 512; microvm.{microvm[..microvm.IndexOf(' ')]} = {Rest(microvm)} }}");

    private static string Rest(string microvm)
    {
        var at = microvm.IndexOf(" = ", StringComparison.Ordinal);
        var rest = microvm[(at + 3)..];
        // A second option of microvm in the same line.
        foreach (var more in (string[])["shares", "volumes"])
        {
            rest = rest.Replace($"; {more} = ", $"; microvm.{more} = ", StringComparison.Ordinal);
        }
        return rest;
    }

    [Fact]
    public void Options_of_the_rest_of_nixos_are_left_alone_and_can_be_read() => Passes("""
        { lib, config, ... }: {
          imports = [ ({ modulesPath, ... }: { imports = [ (modulesPath + "/profiles/minimal.nix") ]; }) ];
          networking.useNetworkd = true;
          networking.firewall.allowedUDPPorts = lib.mkIf config.networking.useNetworkd [ 67 ];
          users.users.root.password = throw "not looked at";
          systemd.network = { enable = true; networks."10-lan" = { matchConfig.Name = [ "eno1" "vm-*" ]; }; };
          system.stateVersion = lib.trivial.release;
          microvm.vcpu = if config.systemd.network.enable then 2 else throw "can't be read";
        }
        """);

    [Fact]
    public void Unknown_options_and_contradictions_are_all_named_at_their_places()
    {
        var file = _folder.File("vm.nix", "{ lib, ... }: {\n  microvm.vcpus = 4;\n  microvm.qemu.machin = \"q35\";\n  microvm.mem = lib.mkMerge [\n    512\n    1024 ];\n}\n");
        var outcome = Binary.Microvm("check", file);
        Assert.Equal(2, outcome.Code);
        Assert.Contains($"{file}:2:3: error: ", outcome.Out);
        Assert.Contains("did you mean 'vcpu'?", outcome.Out);
        Assert.Contains($"{file}:3:3: error: ", outcome.Out);
        Assert.Contains($"{file}:4:3: error: this is defined with another value", outcome.Out);
    }

    [Theory]
    [InlineData("{ imports = [ ./missing.nix ]; }", "missing.nix")]
    [InlineData("{\n  microvm.vcpu = ;\n}", ":2:18: error: syntax error")]
    [InlineData("{ microvm.vcpu = 1 + \"a\"; }", ": error: cannot add")]
    [InlineData("{ lib, ... }: { microvm.vcpu = lib.mkiff 1; }", ":1:32: error: attribute 'mkiff' missing")]
    [InlineData("{ pkgs, ... }: {\n  microvm.preStart = \"${pkgs.nothere}\";\n}", ":2:25: error: attribute 'nothere' missing")]
    [InlineData("{ microvm.vcpu = throw \"in my words\"; }", "in my words")]
    [InlineData("{ config, ... }: { microvm.vcpu = config.microvm.mem; microvm.mem = config.microvm.vcpu; }", "infinite recursion")]
    [InlineData("let f = n: 1 + f (n + 1); in { microvm.vcpu = f 1; }", "endless recursion")]
    [InlineData("{ imports = [ (builtins.fetchTarball \"https://example.org/a.tar.gz\") ]; }", "fetchTarball needs the network")]
    [InlineData("{ microvm.preStart = builtins.readFile (builtins.fetchurl \"https://example.org/a\"); }", "fetchurl needs the network")]
    [InlineData("{ pkgs, ... }: { microvm.preStart = \"${pkgs.writeShellScript \"a\" \"b\"}\"; }", "only evaluates")]
    [InlineData("{ microvm.preStart = x: x; }", "a function can't be a value")]
    [InlineData("{ microvm = 5; }", ":1:3: error: ")]
    [InlineData("5", "attribute set")]
    [InlineData("{ lib, ... }: { microvm.mem = 512 |> lib.id; }", "pipe-operators")]
    [InlineData("{ lib, inputs, ... }: { microvm.vcpu = inputs.a; }", "'inputs'")]
    public void What_nix_refuses_is_one_clear_error(string nix, string says)
    {
        var outcome = Binary.Microvm("check", _folder.File("vm.nix", nix));
        Assert.True(outcome.Code == 2, outcome.Out);
        Assert.Contains(says, outcome.Out);
    }

    [Fact]
    public void The_callers_environment_does_not_change_the_outcome()
    {
        Environment.SetEnvironmentVariable("NIX_CONFIG", "nonsense");
        try
        {
            Passes(SpecificationTap);
        }
        finally
        {
            Environment.SetEnvironmentVariable("NIX_CONFIG", null);
        }
    }

    [Fact]
    public void Where_nixpkgs_resolves_its_own_lib_serves()
    {
        // A nixpkgs of our own: the stand-in under a name by which the test can tell.
        _folder.File("default.nix", "{ }");
        var root = Directory.CreateTempSubdirectory("microvm-nixpkgs-").FullName;
        try
        {
            Directory.CreateDirectory(Path.Combine(root, "lib"));
            File.WriteAllText(Path.Combine(root, "lib", "default.nix"), $"import {Binary.Root}/nix/standalone // {{ ours = 3; }}");
            var outcome = Binary.Run("env", null, $"NIX_PATH=nixpkgs={root}", Binary.Path, "check", "--json",
                _folder.File("vm.nix", "{ lib, ... }: { networking.hostName = \"n${toString lib.ours}\"; microvm.vcpu = lib.mkForce 2; }"));
            Assert.True(outcome.Code == 0, outcome.Out + outcome.Err);
            Assert.Contains("\"n3\"", outcome.Out);
        }
        finally
        {
            Directory.Delete(root, true);
        }
    }

    [Fact]
    public void A_flake_without_inputs_is_evaluated_offline()
    {
        var root = Directory.CreateTempSubdirectory("microvm-flake-").FullName;
        var store = Directory.CreateTempSubdirectory("microvm-store-").FullName;
        try
        {
            File.WriteAllText(Path.Combine(root, "flake.nix"), """
                {
                  outputs = { self }: {
                    nixosModules.vm = { lib, ... }: { microvm.vcpu = lib.mkDefault 2; microvm.interfaces = [ { type = "tap"; id = "vm-f"; mac = "02:00:00:00:00:01"; } ]; };
                    nixosConfigurations.plain.config = { networking.hostName = "plain"; microvm.interfaces = [ { type = "tun"; id = "vm-p"; mac = "02:00:00:00:00:02"; } ]; };
                  };
                }
                """);
            Binary.Outcome Of(string name) => Binary.Run("env", null, $"NIX_REMOTE={store}", $"HOME={store}", Binary.Path, "check", $"{root}#{name}");
            var module = Of("vm");
            Assert.True(module.Code == 0, module.Out + module.Err);
            Assert.Contains($"{root}/flake.nix:4:", Of("plain").Out);
            Assert.Contains("neither nixosConfigurations.other", Of("other").Out);
        }
        finally
        {
            Directory.Delete(root, true);
            Binary.Run("chmod", null, "-R", "u+w", store);
            Directory.Delete(store, true);
        }
    }
}
