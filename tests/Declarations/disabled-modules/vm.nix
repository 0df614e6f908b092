{ lib, ... }:
{
  imports = [ ./lan.nix ./wan.nix ];
  disabledModules = [ ./wan.nix "services/networking/dhcpcd.nix" ];
  _module.args.prefix = "vm";
  networking.hostName = "web";
}
