let pkgs = import <nixpkgs> { }; in
{ networking.hostName = "n"; microvm.preStart = "${pkgs.iproute2}/bin/ip link"; microvm.interfaces = map (n: { type = "tap"; id = "vm-${toString n}"; mac = "02:00:00:00:00:0${toString n}"; }) (pkgs.lib.range 1 2); }
