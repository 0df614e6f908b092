{ lib, hostConfig, ... }:
{
  config = lib.mkMerge (
    [ { microvm.interfaces = [ { type = "tap"; id = "vm-a1"; mac = "02:00:00:00:00:01"; } ]; } ]
    ++ lib.optional (hostConfig.nics != { }) hostConfig.nics
  );
}
