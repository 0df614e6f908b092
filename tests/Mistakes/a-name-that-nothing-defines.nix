{ lib, ... }:
{
  microvm.interfaces = map (n: { type = "tap"; id = "vm-a${n}"; mac = macOf n; }) [ "1" ];
}
