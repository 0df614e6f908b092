{
  microvm.interfaces = [
    { type = "tap"; id = "vm-webserver-lan0"; mac = "02:00:00:00:00:01"; }
  ];
}
