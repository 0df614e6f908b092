{ lib, pkgs, config, ... }:
let
  vms = { web = { n = 1; nets = [ "lan" "dmz" ]; }; db = { n = 2; nets = [ "lan" ]; }; };
  mac = n: i: "02:00:00:00:${pkgs.lib.fixedWidthNumber 2 n}:${pkgs.lib.fixedWidthNumber 2 i}";
in
{
  microvm.vms = lib.mapAttrs' (name: vm: lib.nameValuePair "vm-${name}" {
    config.microvm.interfaces = lib.imap1 (i: net: { type = "tap"; id = "${name}-${net}"; mac = mac vm.n i; bridge = "br-${net}"; }) vm.nets;
    autostart = vm.n == 1;
  }) vms;
  systemd.network.networks = lib.listToAttrs (lib.concatLists (lib.mapAttrsToList (name: vm: map (net: lib.nameValuePair "50-${name}-${net}" {
    matchConfig.Name = "${name}-${net}";
    networkConfig.Bridge = "br-${net}";
  }) vm.nets) vms));
  assertions = [ { assertion = lib.allUnique (lib.concatMap (vm: map (i: i.mac) vm.config.config.microvm.interfaces) (lib.attrValues config.microvm.vms)); message = "two interfaces have one MAC"; } ];
}
