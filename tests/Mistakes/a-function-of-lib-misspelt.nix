{ lib, ... }:
{
  microvm.interfaces = lib.mapAttrToList (id: mac: { type = "tap"; inherit id mac; }) { vm-a1 = "02:00:00:00:00:01"; };
}
