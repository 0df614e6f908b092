{
  microvm.interfaces = [
    { type = "tap"; id = "vm-a1"; mac = "01:00:00:00:00:01"; }
  ];
}
