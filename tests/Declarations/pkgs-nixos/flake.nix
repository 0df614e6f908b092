{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
  outputs = { self, nixpkgs }: {
    nixosConfigurations.web = nixpkgs.legacyPackages.x86_64-linux.nixos [
      { networking.hostName = "web"; }
      { microvm.interfaces = [ { type = "tap"; id = "vm-web"; mac = "02:00:00:00:00:01"; } ]; }
    ];
  };
}
