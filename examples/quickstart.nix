{ lib, ... }:
{
  networking.hostName = "quickstart";

  microvm.interfaces = [ {
    type = "tap";

    # interface name on the host
    id = "vm-a1";

    # Ethernet address of the MicroVM's interface, not the host's
    mac = "02:00:00:00:00:01";
  } ];
}
