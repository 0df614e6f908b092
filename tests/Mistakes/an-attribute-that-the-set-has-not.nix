let net = { bridge = "br0"; }; in
{
  microvm.interfaces = [ { type = "tap"; id = "vm-a1"; mac = "02:00:00:00:00:01"; bridge = net.brige; } ];
}
