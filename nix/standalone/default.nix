# A stand-in for nixpkgs' `lib`: enough for the declarations of MicroVMs and for the modules of this project, where no
# nixpkgs is at hand.
let
  functions = import ./functions.nix (builtins.mapAttrs (name: _: import (./lib + "/${name}.nix")) (builtins.functionArgs (import ./functions.nix)));
  lib = functions lib // import ./properties.nix lib // import ./types.nix lib // import ./modules.nix lib;
in
lib
