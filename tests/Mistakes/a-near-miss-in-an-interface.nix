{
  microvm.interfaces = [
    { type = "tap"; id = "vm-a1"; macAddress = "02:00:00:00:00:01"; brige = "br0"; }
  ];
}
