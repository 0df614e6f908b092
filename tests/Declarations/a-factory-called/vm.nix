{ hostName, mac }:
{ config, ... }:
{
  networking.hostName = hostName;
  microvm.interfaces = [ { type = "tap"; id = "vm-${config.networking.hostName}"; inherit mac; } ];
}
