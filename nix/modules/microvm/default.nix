# A MicroVM as a NixOS configuration: its options, the rules that can be told while evaluating, and a runner that our
# binary makes. The guest's root file system (store image, shares, volumes) is microvm.nix's work: beside it, import
# nixosModules.microvm-nix instead of this.
{ config, lib, pkgs, ... }:
let
  cfg = config.microvm;
  inherit (config.networking) hostName;
  shared = key: lib.filterAttrs (_: interfaces: builtins.length interfaces > 1) (builtins.groupBy (i: i.${key}) cfg.interfaces);

  interface = i: { inherit (i) type id mac; }
    // lib.optionalAttrs (i.type == "macvtap") { inherit (i) macvtap; }
    // lib.optionalAttrs (i.bridge != null) { inherit (i) bridge; }
    // lib.optionalAttrs i.tap.vhost { inherit (i) tap; };
  # The declaration as our binary reads it, with every path in the store that it needs.
  declaration = hypervisor: {
    networking = { inherit hostName; };
    microvm = {
      inherit hypervisor;
      inherit (cfg) vcpu mem forwardPorts;
      interfaces = map interface cfg.interfaces;
      kernel = "${cfg.kernel}/${pkgs.stdenv.hostPlatform.linux-kernel.target or "bzImage"}";
      initrdPath = cfg.initrdPath;
      kernelParams = config.boot.kernelParams ++ cfg.kernelParams;
      binScripts = lib.mapAttrs (_: text: [ { order = 1500; inherit text; } ]) cfg.binScripts;
    };
  };
in
{
  imports = [ ./options.nix ];

  options.microvm.declaration = lib.mkOption {
    type = lib.types.attrs;
    readOnly = true;
    internal = true;
    example = { microvm.interfaces = [ ]; };
    description = "The whole declaration as the `microvm` command reads it from JSON.";
  };

  config = lib.mkIf cfg.guest.enable {
    microvm.declaration = declaration cfg.hypervisor;
    assertions =
      lib.mapAttrsToList (id: _: { assertion = false; message = "MicroVM ${hostName}: two interfaces have the id '${id}'; give each its own"; }) (shared "id")
      ++ lib.mapAttrsToList (mac: _: { assertion = false; message = "MicroVM ${hostName}: two interfaces have the MAC ${mac}; give each its own"; }) (shared "mac")
      ++ map
        (i: { assertion = i.type != "bridge" || i.bridge != null; message = "MicroVM ${hostName}: interface ${i.id} of type \"bridge\" needs the bridge's name: bridge = \"br0\""; })
        cfg.interfaces
      ++ map
        (i: { assertion = builtins.stringLength i.id <= 15; message = "MicroVM ${hostName}: the id '${i.id}' is longer than the 15 bytes that Linux allows"; })
        cfg.interfaces;
  };
}
