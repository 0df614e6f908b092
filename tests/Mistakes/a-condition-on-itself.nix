{ lib, options, ... }:
lib.mkIf options.microvm.interfaces.isDefined {
  microvm.interfaces = [ { type = "tap"; id = "vm-a1"; mac = "02:00:00:00:00:01"; } ];
}
