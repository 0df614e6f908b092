# A stand-in for nixpkgs' `lib`: enough for the declarations of MicroVMs and for the modules of this project, where no
# nixpkgs is at hand.
let
  lib = import ./functions.nix lib // import ./properties.nix lib // import ./types.nix lib // import ./modules.nix lib;
in
lib
