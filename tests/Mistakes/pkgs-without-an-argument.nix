{
  microvm.preStart = "${pkgs.iproute2}/bin/ip link";
  microvm.interfaces = [ { type = "tap"; id = "vm-a1"; mac = "02:00:00:00:00:01"; } ];
}
