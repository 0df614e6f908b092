namespace Microvm.Tests;

/// <summary>VMs out of the nix store, on a host that has a real nix and no network.</summary>
/// <remarks>Flakes of nixpkgs need the network: here our own modules are evaluated with the stand-in lib.</remarks>
[Collection(nameof(SystemdHost))]
public sealed class FlakeTests(SystemdHost host)
{
    // No nixpkgs is to be had offline: our modules, the stand-in lib, and the build that runCommand is in the end.
    private static string Flake(string id, string takes = "", string seconds = "600") => $$"""
        {
          outputs = { self }:
            let
              lib = import ./nix/standalone;
              package = at: { type = "derivation"; name = "package"; outPath = at; drvPath = at; meta.mainProgram = "microvm"; };
              pkgs = import ./nix/standalone/packages.nix lib // {
                stdenv.hostPlatform = { isAarch64 = false; isx86_64 = true; };
                runCommand = name: environment: script: derivation (removeAttrs environment [ "meta" ] // {
                  inherit name;
                  system = "x86_64-linux";
                  builder = "/bin/bash";
                  args = [ "-euc" "export PATH=/usr/bin:/bin\npatchShebangs() { :; }\n${script}" ];
                });
              };
              nixos = {
                freeformType = lib.types.lazyAttrsOf lib.types.anything;
                options.networking.hostName = lib.mkOption { type = lib.types.str; };
                options.boot.kernelParams = lib.mkOption { type = lib.types.listOf lib.types.str; default = [ ]; };
                options.assertions = lib.mkOption { type = lib.types.listOf lib.types.unspecified; default = [ ]; };
              };
            in
            {
              nixosConfigurations.flaked = lib.evalModules {
                modules = [
                  nixos
                  { _module.args = { inherit pkgs; }; }
                  ./nix/modules/microvm
                  ({{takes}} {
                    networking.hostName = "flaked";
                    microvm = {
                      network.package = package "/usr/local";
                      qemu.package = package "/usr";
                      kernel = package "{{SystemdHost.Guest}}" // { target = "vmlinuz"; };
                      initrdPath = "{{SystemdHost.Guest}}/initrd";
                      kernelParams = [ "seconds={{seconds}}" {{string.Join(' ', GuestClock.Parameters.Select(p => $"\"{p}\""))}} "guestip=10.0.7.2/24" ];
                      interfaces = [ { type = "tap"; id = "{{id}}"; mac = "02:00:00:00:f0:01"; } ];
                      binScripts.tap-up = lib.mkAfter "echo after {{id}}";
                    };
                  })
                ];
              };
            };
        }
        """;

    private void Nix()
    {
        host.Do("mkdir", "-p", "/etc/nix");
        // As root, alone, and without the sandbox, which can't be had in a container.
        host.Write("/etc/nix/nix.conf", "build-users-group =\nsandbox = false\nsubstitute = false\n");
    }

    [Fact]
    public void A_flake_is_built_by_nix_started_updated_and_stopped()
    {
        Nix();
        host.Write($"{SystemdHost.Flake}/flake.nix", Flake("vm-f1"));
        host.Microvm("create", "flaked", "--flake", $"path:{SystemdHost.Flake}");
        var first = host.Do("readlink", "/var/lib/microvms/flaked/current").Trim();
        Assert.Matches("^/nix/store/[a-z0-9]{32}-microvm-qemu-flaked$", first);
        host.Microvm("start", "flaked");
        host.Until("the guest", () => host.Microvm("logs", "flaked").Contains("guest: ready", StringComparison.Ordinal));
        Assert.NotNull(host.Index("vm-f1"));
        Assert.Contains("after vm-f1", host.Run("journalctl", "-u", "microvm-tap-interfaces@flaked", "-o", "cat").Out, StringComparison.Ordinal);
        Assert.Equal(first, host.Do("readlink", "/var/lib/microvms/flaked/booted").Trim());

        // The same again is the same; a changed flake is another runner, which the next start applies.
        Assert.Contains("is current", host.Microvm("update", "flaked"), StringComparison.Ordinal);
        host.Write($"{SystemdHost.Flake}/flake.nix", Flake("vm-f2"));
        Assert.Contains("microvm restart flaked", host.Microvm("update", "flaked"), StringComparison.Ordinal);
        Assert.NotEqual(first, host.Do("readlink", "/var/lib/microvms/flaked/current").Trim());
        Assert.Contains("stale", host.Microvm("list"), StringComparison.Ordinal);
        host.Microvm("restart", "flaked");
        Assert.NotNull(host.Index("vm-f2"));
        Assert.Null(host.Index("vm-f1"));
        host.Microvm("stop", "flaked");
        Assert.Null(host.Index("vm-f2"));
        host.Microvm("remove", "flaked", "--data");
    }

    [Fact]
    public void Arguments_reach_a_flakes_modules_and_the_next_update_gives_them_again()
    {
        Nix();
        string Declared() => host.Do("cat", "/var/lib/microvms/.host/flaked/current/share/microvm/declaration.json");
        // Nothing in the flake gives its module what it asks for.
        var flake = Flake("${tap}", "{ tap, seconds, ... }:", "${toString seconds}");
        host.Write($"{SystemdHost.Flake}/flake.nix", flake);
        host.Microvm("create", "flaked", "--flake", $"path:{SystemdHost.Flake}", "--argstr", "tap", "vm-f3", "--arg", "seconds", "500 + 99");
        Assert.Contains("vm-f3", Declared(), StringComparison.Ordinal);
        Assert.Contains("seconds=599", Declared(), StringComparison.Ordinal);
        Assert.Contains("is current", host.Microvm("update", "flaked"), StringComparison.Ordinal);
        host.Write($"{SystemdHost.Flake}/flake.nix", flake.Replace("02:00:00:00:f0:01", "02:00:00:00:f0:02", StringComparison.Ordinal));
        host.Microvm("update", "flaked");
        Assert.Contains("02:00:00:00:f0:02", Declared(), StringComparison.Ordinal);
        Assert.Contains("seconds=599", Declared(), StringComparison.Ordinal);
        host.Microvm("update", "flaked", "--argstr", "tap", "vm-f4", "--arg", "seconds", "7");
        host.Microvm("update", "flaked");
        Assert.Contains("vm-f4", Declared(), StringComparison.Ordinal);
        // Another flake is not given what was meant for the first.
        host.Write($"{SystemdHost.Flake}/flake.nix", Flake("vm-f5"));
        host.Microvm("update", "flaked", "--flake", SystemdHost.Flake);
        Assert.NotEqual(0, host.Run("test", "-e", "/var/lib/microvms/.host/flaked/arguments").Code);
        host.Microvm("remove", "flaked", "--data");
    }

    [Fact]
    public void A_directory_that_microvm_nix_made_starts_stops_and_is_listed()
    {
        // Its runner has scripts of its own and no declaration of ours.
        const string Runner = "/nix/store/00000000000000000000000000000000-microvm-qemu-theirs", Vm = "/var/lib/microvms/theirs";
        host.Do("mkdir", "-p", $"{Runner}/bin", $"{Runner}/share/microvm", Vm);
        foreach (var (name, text) in (IEnumerable<(string, string)>)[
            ("tap-up", "[ ! -e /sys/class/net/vm-t1 ] || /usr/sbin/ip link delete vm-t1\n/usr/sbin/ip tuntap add name vm-t1 mode tap user microvm vnet_hdr\n/usr/sbin/ip link set vm-t1 up"), ("tap-down", "/usr/sbin/ip link delete vm-t1"), ("microvm-run", "exec sleep 600")])
        {
            host.Write($"{Runner}/bin/{name}", $"#!/bin/sh\nset -e\n{text}\n");
            host.Do("chmod", "755", $"{Runner}/bin/{name}");
        }
        host.Write($"{Runner}/share/microvm/tap-interfaces", "vm-t1\n");
        host.Do("ln", "-s", Runner, $"{Vm}/current");
        host.Write($"{Vm}/flake", "git+https://example.org/infra\n");
        host.Microvm("start", "theirs");
        Assert.NotNull(host.Index("vm-t1"));
        host.Until("the hypervisor", () => host.Property("microvm@theirs.service", "SubState") == "running");
        Assert.Matches("theirs.*running.*current.*git\\+https://example.org/infra", host.Microvm("list"));
        Assert.Equal(Runner, host.Do("readlink", $"{Vm}/booted").Trim());
        host.Microvm("stop", "theirs");
        Assert.Null(host.Index("vm-t1"));
        host.Microvm("remove", "theirs", "--data");
    }
}
