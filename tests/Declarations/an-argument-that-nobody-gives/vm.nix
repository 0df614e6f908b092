{
  lib,
  hostName,
  ...
}:
{
  microvm.interfaces = [ { type = "tap"; id = "vm-${hostName}"; mac = "02:00:00:00:00:01"; } ];
}
