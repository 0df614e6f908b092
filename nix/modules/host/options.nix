# The options of a host that runs MicroVMs, by the names that configurations use.
{ lib, options, pkgs, ... }:
let
  inherit (lib) mkOption types literalExpression;
  networks = options.microvm.networks.definitions;
in
{
  # Networks of the host, for all VMs that it evaluates; a VM may declare them as well.
  imports = [ ../microvm/networks.nix ];

  options.microvm = {
    host.enable = mkOption { type = types.bool; default = true; example = false; description = "Whether this machine runs MicroVMs."; };
    host.startupTimeout = mkOption { type = types.ints.positive; default = 150; example = 30; description = "How long a VM may take to start, and to stop, in seconds."; };
    host.useNotifySockets = mkOption { type = types.bool; default = false; example = true; description = "Whether every unit of a VM is of Type=notify. A runner of ours tells the manager when the hypervisor starts; one of microvm.nix when the guest is ready, over VSOCK."; };
    host.package = mkOption {
      type = types.package;
      default = pkgs.callPackage ../../package.nix { };
      defaultText = literalExpression "the package of this flake";
      example = literalExpression "inputs.microvm-net.packages.x86_64-linux.default";
      description = "The package with the `microvm` command.";
    };
    host.bridges = mkOption { type = types.listOf types.str; default = [ "all" ]; example = [ "br0" ]; description = "The bridges that qemu-bridge-helper may attach VMs to; `all` means every one."; };

    stateDir = mkOption { type = types.path; default = "/var/lib/microvms"; example = "/srv/microvms"; description = "The directory that holds a directory for each VM."; };
    autostart = mkOption { type = types.listOf types.str; default = [ ]; example = [ "web" ]; description = "The VMs that start with the host."; };

    vms = mkOption {
      default = { };
      example = literalExpression ''{ web.config = { microvm.interfaces = [ { type = "tap"; id = "vm-web"; mac = "02:00:00:00:00:01"; } ]; }; }'';
      description = "The VMs that are built with the host.";
      type = types.attrsOf (types.submodule ({ config, name, ... }: {
        options = {
          config = mkOption {
            default = null;
            example = literalExpression "{ microvm.vcpu = 2; }";
            description = "The VM's NixOS configuration, as a module.";
            type = types.nullOr (lib.mkOptionType {
              name = "module";
              description = "NixOS configuration";
              merge = _: definitions: import "${toString config.nixpkgs}/nixos/lib/eval-config.nix" {
                modules = [ ../microvm { networking.hostName = lib.mkDefault name; microvm.networks = lib.mkMerge networks; } ] ++ config.extraModules ++ map (d: d.value) definitions;
                prefix = [ "microvm" "vms" name "config" ];
                inherit (config) specialArgs pkgs;
                system = (if config.pkgs != null then config.pkgs else pkgs).stdenv.hostPlatform.system;
              };
            });
          };
          evaluatedConfig = mkOption { type = types.nullOr types.unspecified; default = null; example = literalExpression "nixpkgs.lib.nixosSystem { … }"; description = "A configuration that is evaluated already."; };
          flake = mkOption { type = types.nullOr types.path; default = null; example = literalExpression "self"; description = "The flake that has the VM as `nixosConfigurations.NAME`."; };
          updateFlake = mkOption { type = types.nullOr types.str; default = null; example = "git+file:///etc/nixos"; description = "Where `microvm update` looks for the flake from then on."; };
          nixpkgs = mkOption {
            type = types.path;
            default = if config.pkgs != null then config.pkgs.path else pkgs.path;
            defaultText = literalExpression "pkgs.path";
            example = literalExpression "inputs.nixpkgs";
            description = "The nixpkgs that `config` is evaluated with.";
          };
          pkgs = mkOption { type = types.nullOr types.unspecified; default = pkgs; defaultText = literalExpression "pkgs"; example = literalExpression "import nixpkgs { system = \"x86_64-linux\"; }"; description = "The package set of the VM; null makes a new one."; };
          specialArgs = mkOption { type = types.attrsOf types.unspecified; default = { }; example = literalExpression "{ inherit inputs; }"; description = "Further arguments of the modules in `config`."; };
          extraModules = mkOption { type = types.listOf types.deferredModule; default = [ ]; example = literalExpression "[ ./common.nix ]"; description = "Modules beside those in `config`."; };
          autostart = mkOption { type = types.bool; default = true; example = false; description = "Whether the VM starts with the host."; };
          restartIfChanged = mkOption {
            type = types.bool;
            default = config.config != null;
            defaultText = literalExpression "config != null";
            example = true;
            description = "Whether a rebuild of the host that changes the VM restarts it.";
          };
        };
      }));
    };
  };
}
