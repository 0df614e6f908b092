# The package whose `microvm` a guest's scripts call.
{ config, lib, pkgs, ... }:
{
  options.microvm.network.package = lib.mkOption {
    type = lib.types.package;
    default = (config.microvm.vmHostPackages or pkgs).callPackage ../package.nix { };
    defaultText = lib.literalExpression "the package of this flake";
    example = lib.literalExpression "inputs.microvm-net.packages.x86_64-linux.default";
    description = "The package whose `microvm` makes the interfaces.";
  };
}
