# For configurations that use microvm.nix: the interface scripts of its runner become calls of our binary. Import it
# beside microvm.nix's own `microvm` module; nothing else changes. Lines that a configuration adds to these scripts still
# run: lib.mkBefore's before ours, all others after.
{ config, lib, options, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.microvm;
  of = type: builtins.filter (interface: interface.type == type) cfg.interfaces;

  # What our binary has to know, as JSON: no nix runs on the host.
  interface = i: { inherit (i) type id mac; }
    // lib.optionalAttrs (i.type == "macvtap") { macvtap = { inherit (i.macvtap) link mode; }; }
    // lib.optionalAttrs (i.type == "tap" && (i.bridge or null) != null) { inherit (i) bridge; }
    // lib.optionalAttrs (i.type == "tap" && (i.tap.vhost or false)) { tap.vhost = true; };
  declaration = type: builtins.toJSON {
    networking = { inherit (config.networking) hostName; };
    microvm = { inherit (cfg) hypervisor vcpu; interfaces = map interface (of type); };
  };
  # A quoted here-document: the shell expands nothing in it.
  call = arguments: type: ''
    ${lib.getExe cfg.network.package} ${arguments} - <<'END-OF-DECLARATION'
    ${declaration type}
    END-OF-DECLARATION
  '';
  up = "up --user ${lib.escapeShellArg cfg.network.user} --group ${lib.escapeShellArg cfg.network.group}";
  scripts = type: lib.optionalAttrs (of type != [ ]) {
    "${type}-up" = "set -euo pipefail\n" + call up type;
    "${type}-down" = "set -uo pipefail\n" + call "down" type;
  };

  # microvm.nix's own scripts are the definitions in this file of it; ours stand where they stood.
  theirs = definition: lib.hasSuffix "/nixos-modules/microvm/interfaces.nix" (toString definition.file);
  scriptsType = types.attrsOf types.lines;
in
{
  imports = [ ../package.nix ];

  options.microvm = {
    network.enable = mkOption { type = types.bool; default = true; example = false; description = "Whether our binary makes this VM's taps and macvtaps, in the place of microvm.nix's scripts."; };
    network.user = mkOption { type = types.str; default = "microvm"; example = "root"; description = "The user that may open the VM's taps."; };
    network.group = mkOption { type = types.str; default = "kvm"; example = "microvm"; description = "The group that may open the VM's taps."; };

    # microvm.nix declares the option; this adds what is done with its definitions.
    binScripts = mkOption {
      type = scriptsType;
      apply = merged:
        if !cfg.network.enable then merged
        else scriptsType.merge [ "microvm" "binScripts" ] (
          [ { file = toString ./default.nix; value = scripts "tap"; } { file = toString ./default.nix; value = scripts "macvtap"; } ]
          ++ builtins.filter (definition: !theirs definition) options.microvm.binScripts.definitionsWithLocations
        );
    };
  };
}
