{
  description = "A MicroVM with a tap, and its host";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    # Where you have Microvm.Net: a path, or the address of its repository.
    microvm-net.url = "path:/srv/microvm-net";
    microvm-net.inputs.nixpkgs.follows = "nixpkgs";
  };

  outputs = { self, nixpkgs, microvm-net }: {
    # The guest. `microvm check .#my-microvm` looks at its interfaces.
    nixosConfigurations.my-microvm = nixpkgs.lib.nixosSystem {
      system = "x86_64-linux";
      modules = [
        microvm-net.nixosModules.microvm
        {
          networking.hostName = "my-microvm";
          microvm.interfaces = [ {
            type = "tap";
            id = "vm-my-microvm";
            mac = microvm-net.lib.mac "my-microvm";
          } ];
        }
      ];
    };

    # The host.
    nixosConfigurations.my-host = nixpkgs.lib.nixosSystem {
      system = "x86_64-linux";
      modules = [
        microvm-net.nixosModules.host
        { networking.hostName = "my-host"; microvm.autostart = [ "my-microvm" ]; }
      ];
    };
  };
}
