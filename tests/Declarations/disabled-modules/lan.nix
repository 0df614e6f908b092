{ prefix, ... }: { microvm.interfaces = [ { type = "tap"; id = "${prefix}-lan"; mac = "02:00:00:00:00:01"; } ]; }
