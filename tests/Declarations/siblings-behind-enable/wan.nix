{ lib, config, ... }:
{
  options.my.wan.enable = lib.mkEnableOption "wan";
  config = lib.mkIf config.my.wan.enable { microvm.interfaces = [ { type = "tap"; id = "vm-wan"; mac = "02:00:00:00:00:01"; } ]; };
}
