{ lib, config, ... }:
{
  options.mine.profiles = lib.mkOption { type = lib.types.listOf lib.types.str; default = [ ]; };
  options.profiles.server.enable = lib.mkEnableOption "a server";
  config = lib.mkMerge [
    (lib.mkIf (config.mine.profiles != [ ]) { profiles = lib.genAttrs config.mine.profiles (_: { enable = true; }); })
    {
      mine.profiles = [ "server" "laptop" ];
      networking.hostName = "web";
      microvm.interfaces = lib.optional config.profiles.server.enable { type = "tap"; id = "vm-web"; mac = "02:00:00:00:00:01"; };
    }
  ];
}
