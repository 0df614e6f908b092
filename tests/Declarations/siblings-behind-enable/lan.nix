{ lib, config, ... }:
{
  options.my.lan.enable = lib.mkEnableOption "lan";
  config = lib.mkIf config.my.lan.enable { microvm.interfaces = [ { type = "tap"; id = "vm-lan"; mac = "02:00:00:00:00:01"; } ]; };
}
