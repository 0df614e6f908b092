[ { microvm.mem = 512; } ]
