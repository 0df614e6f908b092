{ prefix, ... }: { microvm.interfaces = [ { type = "tap"; id = "${prefix}-wan"; mac = "02:00:00:00:00:02"; } ]; }
