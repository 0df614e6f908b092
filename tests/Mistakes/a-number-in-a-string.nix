{
  microvm.interfaces = map (n: { type = "tap"; id = "vm-a" + n; mac = "02:00:00:00:00:01"; }) [ 1 2 ];
}
