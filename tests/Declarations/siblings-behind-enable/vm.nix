{ imports = [ ./lan.nix ./wan.nix ]; my.lan.enable = true; networking.hostName = "router"; }
