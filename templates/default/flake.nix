{
  description = "A MicroVM with a tap, and its host";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    # A placeholder: put the address of your copy of Microvm.Net here, as github:you/microvm-net or git+file:///home/you/microvm-net.
    microvm-net.url = "github:example/microvm-net";
    microvm-net.inputs.nixpkgs.follows = "nixpkgs";
  };

  outputs = { self, nixpkgs, microvm-net }:
    let
      system = "x86_64-linux";
      # The guest. Add what it is for: services, users, what you would have on any NixOS.
      guest = {
        networking.hostName = "my-microvm";
        microvm = {
          hypervisor = "qemu";
          vcpu = 1;
          mem = 512;
          interfaces = [ {
            type = "tap";
            id = "vm-my-microvm";
            # The same name always gives the same address, and another name another.
            mac = microvm-net.lib.mac "my-microvm";
          } ];
        };
      };
    in
    {
      # By itself: `microvm check .#my-microvm` looks at its interfaces, `nix build .#my-microvm` makes its runner.
      nixosConfigurations.my-microvm = nixpkgs.lib.nixosSystem {
        inherit system;
        modules = [ microvm-net.nixosModules.microvm guest ];
      };
      packages.${system}.my-microvm = self.nixosConfigurations.my-microvm.config.microvm.declaredRunner;

      # A host that has it and starts it.
      nixosConfigurations.my-host = nixpkgs.lib.nixosSystem {
        inherit system;
        modules = [
          microvm-net.nixosModules.host
          {
            networking.hostName = "my-host";
            microvm.vms.my-microvm.flake = self;
            # Yours come from `nixos-generate-config`; these two only let it evaluate.
            boot.loader.grub.enable = false;
            fileSystems."/" = { device = "/dev/disk/by-label/nixos"; fsType = "ext4"; };
          }
        ];
      };
    };
}
