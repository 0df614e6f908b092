{ x = [ "other" ]; }
