{ x = [ "module" ]; }
