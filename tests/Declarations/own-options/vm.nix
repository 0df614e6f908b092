{ lib, config, options, ... }:
{
  options.microvm.net = lib.mkOption { type = lib.types.str; };
  options.mine = { inherit (options.microvm) mem; disks = lib.mkOption { type = options.microvm.volumes.type; default = [ ]; }; };
  config = if options ? microvm then {
    mine.mem = 1024;
    mine.disks = [ { image = "a.img"; size = 10; } ];
    microvm.net = "lan";
    microvm.mem = config.mine.mem;
    microvm.volumes = config.mine.disks;
    networking.hostName = "web";
    networking.domain = "example.org";
    microvm.interfaces = [ { type = "tap"; id = "vm-${config.microvm.net}"; mac = if config.networking.fqdn == "web.example.org" then "02:00:00:00:00:01" else "bad"; } ];
  } else { };
}
