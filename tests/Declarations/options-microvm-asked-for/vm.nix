{ lib, options, ... }:
{
  # The branch for a NixOS without our options would be wrong.
  microvm.interfaces = if options ? microvm && options.microvm ? interfaces then [ { type = "tap"; id = "vm-asked"; mac = "02:00:00:00:00:01"; } ] else throw "there is no microvm";
}
