# Evaluates the modules with a given lib, and hands back what they made, as plain data.
{ lib, pkgs }:
let
  # The options of NixOS that the modules write to.
  nixos = {
    freeformType = lib.types.lazyAttrsOf lib.types.anything;
    options.networking.hostName = lib.mkOption { type = lib.types.str; default = "nixos"; };
    options.boot.kernelParams = lib.mkOption { type = lib.types.listOf lib.types.str; default = [ ]; };
    options.assertions = lib.mkOption { type = lib.types.listOf lib.types.unspecified; default = [ ]; };
    options.systemd.units = lib.mkOption { type = lib.types.attrsOf lib.types.unspecified; default = { }; };
    options.systemd.services = lib.mkOption { type = lib.types.attrsOf lib.types.unspecified; default = { }; };
  };
  # A derivation is shown by what it would run; nothing is built here.
  told = pkgs // { runCommand = name: environment: script: environment // { type = "derivation"; inherit name script; outPath = "/nix/store/00000000000000000000000000000000-${name}"; }; };
  evaluate = modules: lib.evalModules { modules = [ nixos { _module.args = { pkgs = told; }; } ] ++ modules; };
  runner = { outPath = "/nix/store/00000000000000000000000000000000-microvm-qemu-web"; type = "derivation"; name = "runner"; };
  system = { build.toplevel = "/nix/store/00000000000000000000000000000000-system"; };
  package = { outPath = "/nix/store/00000000000000000000000000000000-microvm-net"; type = "derivation"; name = "microvm-net"; meta.mainProgram = "microvm"; };
  tap = { type = "tap"; id = "vm-a1"; mac = "02:00:00:00:00:01"; };
  macvtap = { type = "macvtap"; id = "vm-m1"; mac = "02:00:00:00:00:02"; macvtap = { link = "eth0"; mode = "bridge"; }; };

  guest = evaluate [
    ./modules/microvm
    { networking.hostName = lib.mkForce "web"; microvm.network.package = package; microvm.binScripts.tap-up = lib.mkAfter "echo after"; microvm.binScripts.tap-down = lib.mkForce "echo mine"; }
    { microvm.binScripts.tap-up = lib.mkMerge [ (lib.mkBefore "echo before") "echo between" (lib.mkIf false "echo never") ]; }
    { microvm.interfaces = [ tap macvtap ]; microvm.kernel = "/nix/store/00000000000000000000000000000000-linux"; microvm.initrdPath = "/boot/initrd"; }
  ];
  attached = evaluate [
    ./modules/microvm
    { microvm.interfaces = [ tap (tap // { bridge = null; }) (tap // { bridge = lib.mkDefault null; }) (tap // { bridge = "br0"; }) (macvtap // { bridge = null; }) ]; }
    { microvm.kernel = "/nix/store/00000000000000000000000000000000-linux"; microvm.initrdPath = "/boot/initrd"; }
  ];
  twins = evaluate [ ./modules/microvm { microvm.interfaces = [ tap tap ]; microvm.kernel = "/nix/store/00000000000000000000000000000000-linux"; microvm.initrdPath = "/boot/initrd"; } ];
  host = evaluate [
    ./modules/host
    {
      microvm.vms.web.evaluatedConfig.config = { inherit system; microvm.declaredRunner = runner; };
      microvm.vms.guest.evaluatedConfig.config = guest.config // { inherit system; };
      microvm.vms.user.evaluatedConfig.config = { inherit system; microvm = { declaredRunner = runner; hypervisor = "cloud-hypervisor"; interfaces = [ { type = "user"; } ]; }; };
      microvm.vms.jailed.evaluatedConfig.config = { inherit system; microvm = { declaredRunner = runner; hypervisor = "crosvm"; interfaces = [ { type = "bridge"; } ]; }; };
      microvm.vms.bridged.evaluatedConfig.config = { inherit system; microvm = { declaredRunner = runner; interfaces = [ { type = "bridge"; } ]; }; };
      microvm.vms.db = { autostart = false; flake = { outPath = "/nix/store/00000000000000000000000000000000-flake"; nixosConfigurations.db.config = { inherit system; microvm.declaredRunner = runner; }; }; };
      microvm.host.package = package;
    }
  ];
  # What microvm.nix declares and generates, in a file of the name that it has there.
  beside = more: evaluate ([
    ./modules/microvm/options.nix
    ./modules/microvm-nix
    { _file = "/nix/store/00000000000000000000000000000000-source/nixos-modules/microvm/interfaces.nix"; microvm.binScripts.tap-up = "ip tuntap add"; microvm.binScripts.tap-down = "ip link delete"; }
    { networking.hostName = "web"; microvm.network.package = package; microvm.interfaces = [ tap ]; }
  ] ++ more);
in
{
  interfaces = map (i: { inherit (i) id bridge; }) guest.config.microvm.interfaces;
  declaration = guest.config.microvm.declaration.microvm.interfaces;
  attached = map (i: if i ? bridge then { inherit (i) bridge; } else { }) attached.config.microvm.declaration.microvm.interfaces;
  failed = map (a: a.message) (builtins.filter (a: !a.assertion) twins.config.assertions);
  passed = builtins.all (a: a.assertion) guest.config.assertions;
  autostart = host.config.microvm.autostart;
  wants = host.config.systemd.targets.microvms.wants;
  units = lib.mapAttrs (_: unit: unit.text) host.config.systemd.units;
  dropIns = builtins.attrNames host.config.systemd.services;
  user = host.config.systemd.services."microvm@user".serviceConfig;
  jailed = host.config.systemd.services."microvm@jailed".serviceConfig;
  bridged = host.config.systemd.services."microvm@bridged".serviceConfig;
  install = host.config.systemd.services.install-microvm-web.script;
  installOurs = host.config.systemd.services.install-microvm-guest.script;
  runners = lib.mapAttrs (_: r: { inherit (r) name script; inherit (r) declaration; }) guest.config.microvm.runner;
  wrapper = host.config.security.wrappers.qemu-bridge-helper;
  bridges = host.config.environment.etc."qemu/bridge.conf".text;
  scripts = (beside [ { microvm.binScripts.tap-up = lib.mkAfter "ip link set dev vm-a1 master br0"; } { microvm.binScripts.tap-up = lib.mkBefore "echo first"; microvm.binScripts.mine = "echo mine"; } ]).config.microvm.binScripts;
  scriptsOff = (beside [ { microvm.network.enable = false; } ]).config.microvm.binScripts;
}
