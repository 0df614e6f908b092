{ lib, ... }: { microvm.mem = 512 |> lib.id; microvm.interfaces = [ ]; }
