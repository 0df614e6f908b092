{
  microvm.interfaces = [
    { type = "tap"; id = "vm-a1"; }
  ];
}
