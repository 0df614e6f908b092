# What NixOS makes of a MicroVM, and what from: options that no declaration in JSON has. All others are in options.nix.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types literalExpression;
  cfg = config.microvm;
in
{
  options.microvm = {
    vmHostPackages = mkOption {
      type = types.pkgs;
      default = if cfg.cpu == null then pkgs else pkgs.buildPackages;
      defaultText = literalExpression "if config.microvm.cpu == null then pkgs else pkgs.buildPackages";
      example = literalExpression "nixpkgs.legacyPackages.x86_64-linux";
      description = "The package set that the hypervisor and the runner's scripts are from.";
    };
    deploy = lib.genAttrs [ "installOnHost" "sshSwitch" "rebuild" ] (script: mkOption {
      type = types.nullOr types.package;
      default = null;
      internal = true;
      example = literalExpression "pkgs.hello";
      description = "microvm.nix's script ${script}, where its module is imported.";
    });
    runner = mkOption { type = types.attrsOf types.package; default = { }; example = literalExpression "{ qemu = pkgs.hello; }"; description = "The VM's runner for each hypervisor."; };
    declaredRunner = mkOption {
      type = types.package;
      default = cfg.runner.${cfg.hypervisor};
      defaultText = literalExpression "config.microvm.runner.\${config.microvm.hypervisor}";
      example = literalExpression "config.microvm.runner.qemu";
      description = "The runner for the declared hypervisor.";
    };
  };
}
