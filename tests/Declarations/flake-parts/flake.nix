{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
  inputs.flake-parts.url = "github:hercules-ci/flake-parts";
  inputs.microvm = { url = "github:microvm-nix/microvm.nix"; inputs.nixpkgs.follows = "nixpkgs"; };
  outputs = inputs@{ flake-parts, ... }: flake-parts.lib.mkFlake { inherit inputs; } ({ withSystem, ... }: {
    systems = [ "x86_64-linux" ];
    imports = [ ./hosts.nix ];
    perSystem = { pkgs, ... }: { packages.default = pkgs.hello; devShells.default = pkgs.mkShell { }; };
    flake.nixosModules.guest = { lib, ... }: { microvm.mem = lib.mkDefault 256; };
  });
}
