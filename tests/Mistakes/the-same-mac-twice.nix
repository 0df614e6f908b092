{
  microvm.interfaces = [
    { type = "tap"; id = "vm-a1"; mac = "02:00:00:00:00:01"; }
    { type = "tap"; id = "vm-a2"; mac = "02:00:00:00:00:01"; }
  ];
}
