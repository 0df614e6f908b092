{ microvm.interfaces = [ { type = "tap"; id = "vm-b"; mac = "02:00:00:00:00:04"; } ]; }
