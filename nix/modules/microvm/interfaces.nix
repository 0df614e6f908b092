# microvm.interfaces: the specification's four types.
{ lib, ... }:
let
  inherit (lib) mkOption types literalExpression;
in
{
  options.microvm.interfaces = mkOption {
    type = types.listOf (types.submodule ({ config, options, ... }: {
      options = {
        type = mkOption {
          type = types.enum [ "user" "tap" "macvtap" "bridge" ];
          example = "tap";
          description = "How the interface reaches a network: through the hypervisor itself (`user`), a tap, a macvtap on a device of the host, or a tap that QEMU makes on a bridge.";
        };
        id = mkOption { type = types.str; example = "vm-a1"; description = "The interface's name on the host: 1 to 15 bytes that Linux accepts, unique among all VMs."; };
        mac = mkOption { type = types.str; example = "02:00:00:00:00:01"; description = "The Ethernet address of the guest's side. Locally administered ones have 2, 6, A or E as their second digit."; };
        bridge = mkOption { type = types.nullOr types.str; default = null; example = "br0"; description = "The bridge to attach to: needed for type `bridge`, welcome for type `tap`. Left out, whom a tap is attached to is left to others (networkd, Open vSwitch, a script); `null`, written down, says that it is attached to nothing."; };
        # Null that somebody wrote has a stronger priority than the default.
        detached = mkOption { type = types.bool; internal = true; visible = false; readOnly = true; default = config.type == "tap" && config.bridge == null && options.bridge.highestPrio < 1500; example = true; description = "Whether `bridge = null` was written down."; };
        bridgeHelper = mkOption { type = types.nullOr types.bool; default = null; example = false; description = "Type `bridge` on QEMU: true lets qemu-bridge-helper make the tap, false has `microvm up` make it. Null: the helper on QEMU, `microvm up` elsewhere."; };
        macvtap.link = mkOption { type = types.str; example = "eth0"; description = "The host's device that a macvtap sits on."; };
        macvtap.mode = mkOption { type = types.enum [ "private" "vepa" "bridge" "passthru" "source" ]; example = "bridge"; description = "Which other stations on that device a macvtap may reach."; };
        macvtap.sourceMacs = mkOption { type = types.listOf types.str; default = [ ]; example = [ "02:00:00:00:00:02" ]; description = "Mode `source`: the senders whose frames are let through."; };
        tap.vhost = mkOption { type = types.bool; default = false; example = true; description = "Whether the host's kernel carries the packets of a tap (vhost-net), for more throughput."; };
        user.kernelIp = mkOption { type = types.bool; default = false; example = true; description = "Type `user` on kvmtool, where DHCP may be missing: whether the guest's static address is passed on the kernel's command line."; };
      };
    }));
    default = [ ];
    example = literalExpression ''[ { type = "tap"; id = "vm-a1"; mac = "02:00:00:00:00:01"; } ]'';
    description = "The VM's network interfaces.";
  };
}
