{ microvm.host.enable = true; microvm.autostart = [ "web" ]; }
