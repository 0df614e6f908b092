{ target, ... }: { networking.hostName = "web"; microvm = { inherit (target.sizes) mem; interfaces = [ ]; }; }
