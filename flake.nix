{
  description = "The network interfaces of MicroVMs: declared, checked, made and taken down";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" ];
      forAll = nixpkgs.lib.genAttrs systems;
      packageOf = system: nixpkgs.legacyPackages.${system}.callPackage ./nix/package.nix { };
    in
    {
      packages = forAll (system: { default = packageOf system; microvm = packageOf system; });

      nixosModules = {
        # A guest: microvm.interfaces and the rest of its options.
        microvm = ./nix/modules/microvm;
        # A host that runs guests under systemd.
        host = ./nix/modules/host;
        # Beside microvm.nix: our binary makes the interfaces.
        microvm-nix = ./nix/modules/microvm-nix;
      };

      lib.mac = import ./nix/lib/mac.nix;

      templates.default = {
        path = ./templates/default;
        description = "A MicroVM with a tap, and its host";
      };

      checks = forAll (system: {
        package = packageOf system;
        # The modules with nixpkgs' own lib.
        modules = nixpkgs.legacyPackages.${system}.writeText "modules" (builtins.toJSON
          (import ./nix/checks.nix { inherit (nixpkgs) lib; pkgs = nixpkgs.legacyPackages.${system}; }));
      });
    };
}
