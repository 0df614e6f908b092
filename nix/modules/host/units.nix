# The template units: the very files that `microvm host install` writes elsewhere; %i is the VM's name.
{ cfg, lib }:
let
  folder = ../../../src/Microvm.Host/Units;
  text = name: builtins.readFile (folder + "/${name}");
  hardening = lib.removeSuffix "\n" (text "hardening.conf");
  interfaceHardening = lib.removeSuffix "\n" (text "interface-hardening.conf");
  # As UnitTemplates.Render() does it: what is put in first may itself hold what comes after.
  put = lib.foldl' (t: r: lib.replaceStrings [ r.name ] [ r.value ] t);
  render = name: put (text name) (map (p: { name = "@${builtins.elemAt p 0}@"; value = builtins.elemAt p 1; }) [
    [ "interface-hardening" interfaceHardening ]
    [ "hardening" hardening ]
    [ "interface-capabilities" (if builtins.elem name [ "microvm-macvtap-interfaces@.service" "microvm-watch@.service" ] then "CAP_NET_ADMIN CAP_CHOWN CAP_FOWNER CAP_MKNOD" else "CAP_NET_ADMIN") ]
    [ "home" (if name == "microvm@.service" then "read-only" else "yes") ]
    [ "stop-timeout" (toString cfg.host.startupTimeout) ]
    [ "bin" (lib.getExe cfg.host.package) ]
    [ "state" cfg.stateDir ]
  ]);
  # A rebuild of the host leaves VMs running, but for those that say otherwise (vm.nix).
  onNixos = name: lib.replaceStrings
    ([ "[Service]\n" ] ++ lib.optional cfg.host.useNotifySockets "Type=exec\n")
    ([ "[Service]\nX-RestartIfChanged=false\n" ] ++ lib.optional cfg.host.useNotifySockets "Type=notify\nNotifyAccess=all\nTimeoutStartSec=${toString cfg.host.startupTimeout}\n")
    (render name);
  services = builtins.filter (name: lib.hasSuffix ".service" name || lib.hasSuffix ".timer" name) (builtins.attrNames (builtins.readDir folder));
in
{
  units = lib.genAttrs services (name: { text = onNixos name; });

  # "Key=value" lines as NixOS wants them in a drop-in of one VM.
  dropIn = name: builtins.listToAttrs (map
    (line: let words = lib.splitString "=" line; in { name = lib.head words; value = lib.concatStringsSep "=" (lib.tail words); })
    (builtins.filter (line: lib.hasInfix "=" line && !lib.hasPrefix "#" line) (lib.splitString "\n" (text "${name}.conf"))));
}
