# A MicroVM as a NixOS configuration: its options, the rules that can be told while evaluating, and a runner that our
# binary makes. The guest's root file system (its store's image, and mounting of shares and volumes) is microvm.nix's work:
# beside it, import nixosModules.microvm-nix instead of this.
{ config, lib, options, pkgs, ... }:
let
  cfg = config.microvm;
  inherit (config.networking) hostName;
  host = cfg.vmHostPackages;
  table = import ./table.nix;
  # Of a kernel package these boot the uncompressed image on x86-64.
  elf = [ "cloud-hypervisor" "firecracker" "crosvm" ];
  shared = key: lib.filterAttrs (_: interfaces: builtins.length interfaces > 1) (builtins.groupBy (i: i.${key}) cfg.interfaces);
  declared = import ../../lib/declared.nix;
  # The options of hypervisors, a display and a daemon that are not in use; and those that are said in another way below.
  besides = hypervisor: lib.remove hypervisor table.hypervisors
    ++ lib.optional (!cfg.graphics.enable) "graphics"
    ++ lib.optional (!builtins.any (share: share.proto == "virtiofs") cfg.shares) "virtiofsd"
    ++ [ "hypervisor" "interfaces" "kernel" "initrdPath" "kernelParams" "binScripts" ];
  # A module may set `macvtap` and `bridge = null` for all interfaces alike; they say something of these types alone.
  interface = i: removeAttrs i.declared
    (lib.optional (i.type != "macvtap") "macvtap" ++ lib.optional (i.type != "tap" && i.bridge == null) "bridge");

  # Of a kernel package the file that the hypervisor boots; a path as it is.
  kernel = hypervisor:
    if builtins.elem hypervisor elf && cfg.kernel ? dev && pkgs.stdenv.hostPlatform.isx86_64 then "${cfg.kernel.dev}/vmlinux"
    else if cfg.kernel ? drvPath then "${cfg.kernel}/${cfg.kernel.target or pkgs.stdenv.hostPlatform.linux-kernel.target or "bzImage"}"
    else "${cfg.kernel}";

  # The declaration as our binary reads it, with every path in the store that it needs.
  declaration = hypervisor: {
    networking = { inherit hostName; };
    microvm = declared (removeAttrs table.declared (besides hypervisor)) options.microvm // {
      inherit hypervisor;
      interfaces = map interface cfg.interfaces;
      kernel = kernel hypervisor;
      initrdPath = "${cfg.initrdPath}";
      kernelParams = config.boot.kernelParams ++ cfg.kernelParams;
      binScripts = import ../../lib/scripts.nix options.microvm.binScripts.definitions;
    };
  };

  # A directory with bin/microvm-run, tap-up and the like, for hosts and for `nix run`.
  runner = hypervisor: host.runCommand "microvm-${hypervisor}-${hostName}"
    {
      declaration = builtins.toJSON (declaration hypervisor);
      passAsFile = [ "declaration" ];
      meta.mainProgram = "microvm-run";
    } ''
    ${lib.getExe cfg.network.package} build "$declarationPath" --output "$out" --user microvm
    patchShebangs "$out/bin"
    ${lib.optionalString (cfg.systemSymlink && config ? system.build.toplevel) ''
      ln -s ${config.system.build.toplevel} "$out/share/microvm/system"
    ''}
  '';
in
{
  imports = [ ./options.nix ./ssh.nix ../package.nix ];

  options.microvm.declaration = lib.mkOption {
    type = lib.types.attrs;
    readOnly = true;
    internal = true;
    example = { microvm.interfaces = [ ]; };
    description = "The whole declaration as the `microvm` command reads it from JSON.";
  };

  config = lib.mkIf cfg.guest.enable {
    microvm.declaration = declaration cfg.hypervisor;
    microvm.runner = lib.genAttrs table.hypervisors runner;
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
