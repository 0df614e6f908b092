{ microvm.vms.web.config = { networking.hostName = "frontend"; networking.domain = "example.org"; microvm.interfaces = [ { type = "tap"; id = "vm-web"; mac = "02:00:00:00:00:01"; } ]; }; }
