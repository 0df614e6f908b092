{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
  inputs.snow.url = "github:example/snow";
  inputs.parts-builder.url = "github:example/flake-parts-builder";
  outputs = inputs: inputs.snow.mkFlake { inherit inputs; inherit (inputs.parts-builder.lib) loadParts; };
}
