{
  microvm.vms.here.flake = ./guests;
  microvm.vms.away.flake = "github:example/guests";
}
