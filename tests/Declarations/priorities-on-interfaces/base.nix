{ lib, ... }: { microvm.interfaces = lib.mkDefault [ { type = "tap"; id = "vm-never"; mac = "02:00:00:00:00:09"; } ]; microvm.mem = lib.mkDefault 256; }
