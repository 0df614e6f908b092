{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
  inputs.microvm.url = "github:microvm-nix/microvm.nix";
  outputs = { self, nixpkgs, microvm }: {
    nixosConfigurations.host = nixpkgs.lib.nixosSystem {
      system = "x86_64-linux";
      specialArgs = { inherit self; prefix = "vm"; };
      modules = [
        microvm.nixosModules.host
        ({ lib, prefix, ... }: {
          networking.hostName = "host";
          microvm.stateDir = "/srv/vms";
          microvm.host.startupTimeout = 30;
          microvm.vms = lib.genAttrs [ "web" "db" ] (name: {
            specialArgs = { inherit prefix; };
            nixpkgs = nixpkgs;
            autostart = name == "db";
            restartIfChanged = name == "db";
            extraModules = [ ({ prefix, ... }: { microvm.interfaces = [ { type = "tap"; id = "${prefix}-${name}-x"; mac = if name == "web" then "02:00:00:00:00:01" else "02:00:00:00:00:02"; } ]; }) ];
            config = { config, ... }: {
              networking.hostName = "guest-${name}";
              microvm.interfaces = [ { type = "tap"; id = "${prefix}-${name}"; mac = if name == "web" then "02:00:00:00:01:01" else "02:00:00:00:01:02"; } ];
            };
          });
        })
      ];
    };
  };
}
