{ lib = lib, ... }:
{
  microvm.mem = 512;
}
