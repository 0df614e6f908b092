{ outputs = { self }: { nixosConfigurations.here.config = { networking.hostName = "here"; microvm.interfaces = [ { type = "tap"; id = "vm-here"; mac = "02:00:00:00:00:01"; } ]; }; }; }
