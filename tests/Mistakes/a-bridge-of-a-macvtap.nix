{
  microvm.interfaces = [
    { type = "macvtap"; id = "vm-a1"; mac = "02:00:00:00:00:01"; bridge = "br0"; macvtap = { link = "eth0"; mode = "bridge"; }; }
  ];
}
