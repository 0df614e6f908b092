{
  imports = [ ./a.nix ./b.nix ];
  networking.hostName = "web";
  microvm.interfaces = [ { type = "tap"; id = "vm-own"; mac = "02:00:00:00:00:01"; } ];
}
