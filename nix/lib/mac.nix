# A stable, locally administered MAC address from a name, the same as `microvm mac NAME` prints:
# the first six octets of SHA-256 over "microvm:NAME", the two low bits of the first octet set to 10.
#   mac = import ./mac.nix "web/vm-a1";
name:
let
  hash = builtins.hashString "sha256" "microvm:${name}";
  digit = at: builtins.substring at 1 hash;
  local = {
    "0" = "2"; "1" = "2"; "2" = "2"; "3" = "2";
    "4" = "6"; "5" = "6"; "6" = "6"; "7" = "6";
    "8" = "a"; "9" = "a"; "a" = "a"; "b" = "a";
    "c" = "e"; "d" = "e"; "e" = "e"; "f" = "e";
  };
  octets = [ "${digit 0}${local.${digit 1}}" ] ++ map (at: builtins.substring at 2 hash) [ 2 4 6 8 10 ];
in
builtins.concatStringsSep ":" octets
