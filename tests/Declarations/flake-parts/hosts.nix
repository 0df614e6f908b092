{ inputs, self, lib, ... }:
{
  flake.nixosConfigurations = lib.mapAttrs (name: n: inputs.nixpkgs.lib.nixosSystem {
    specialArgs = { inherit inputs self n; };
    modules = [
      inputs.microvm.nixosModules.microvm
      self.nixosModules.guest
      ({ lib, n, config, ... }: {
        networking.hostName = name;
        microvm.interfaces = lib.optional (config.microvm.mem == 256) { type = "tap"; id = "vm-${name}"; mac = "02:00:00:00:00:${lib.fixedWidthString 2 "0" (lib.toLower (lib.toHexString n))}"; };
      })
    ];
  }) { web = 10; db = 11; };
}
