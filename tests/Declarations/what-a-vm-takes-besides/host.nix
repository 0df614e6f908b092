{ lib, pkgs, ... }:
let
  tap = id: mac: { microvm.interfaces = [ { type = "tap"; inherit id mac; } ]; };
in
{
  microvm.vms.evaluated.evaluatedConfig.config = { networking.hostName = "evaluated"; } // tap "vm-evaluated" "02:00:00:00:00:01";
  microvm.vms.packaged = {
    pkgs = pkgs // { mine = "vm-packaged"; };
    config = { pkgs, ... }: tap pkgs.mine "02:00:00:00:00:02";
  };
  microvm.vms.other = {
    nixpkgs = /nonexistent/nixpkgs;
    config = tap "vm-other" "02:00:00:00:00:03";
  };
}
