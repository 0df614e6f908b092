{ lib, config, ... }:
{
  imports = [ ./base.nix { microvm.interfaces = lib.mkAfter [ { type = "tap"; id = "vm-last"; mac = lib.mkForce "02:00:00:00:00:03"; } ]; } ];
  networking.hostName = lib.mkForce "web";
  microvm.mem = lib.mkOverride 10 512;
  microvm.interfaces = lib.mkMerge [
    (lib.mkIf (config.microvm.mem == 512) [ { type = "tap"; id = "vm-one"; mac = "02:00:00:00:00:01"; } ])
    (lib.mkIf false [ { type = "tap"; id = "vm-off"; mac = "02:00:00:00:00:08"; } ])
    (lib.mkBefore (lib.optional (config.networking.hostName == "web") { type = lib.mkDefault "tap"; id = "vm-first"; mac = "02:00:00:00:00:02"; }))
  ];
}
