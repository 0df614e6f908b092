{ imports = [ ./secret.nix ]; microvm.interfaces = [ ]; }
