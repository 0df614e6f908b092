# Written by scripts/generate.sh from src/Microvm.Declaration/Options; do not edit.
{ lib, ... }:
let
  inherit (lib) mkOption types literalExpression;
in
{
  options.microvm = {
    networks = mkOption {
      type = types.attrsOf (types.submodule ({ config, options, ... }: {
        options = {
          addresses = mkOption {
            type = types.listOf types.str;
            default = [ ];
            example = [ "10.20.0.1/24" "fd00:20::1/64" ];
            description = "The host's addresses in the network, which are the guests' gateway, one of each family at most. Where they are left out, microvm takes a private /24 that is free on the host, and a unique local /64; both follow from the network's name.";
          };
          nat = mkOption {
            type = types.bool;
            default = true;
            example = false;
            description = "Whether guests reach the outside under the host's own addresses. Where it is false, they reach each other and the host alone.";
          };
          dhcp = mkOption {
            type = types.bool;
            default = true;
            example = false;
            description = "Whether guests get their addresses by DHCP, and for IPv6 by router advertisements.";
          };
          dns = mkOption {
            type = types.bool;
            default = true;
            example = false;
            description = "Whether the host answers names for the guests: their own, and what the host itself can resolve.";
          };
          domain = mkOption {
            type = types.nullOr types.str;
            default = null;
            example = "home.internal";
            description = "The domain of the guests' names; without it they have none.";
          };
        };
      }));
      default = { };
      example = literalExpression "{ home.addresses = [ \"10.20.0.1/24\" \"fd00:20::1/64\" ]; }";
      description = "Networks of the host that `microvm up` makes for the interfaces that name them: a bridge with addresses, DHCP, DNS and NAT. Not in microvm.nix.";
    };
  };
}
