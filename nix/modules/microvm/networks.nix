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
          kind = mkOption {
            type = types.nullOr (types.enum [ "nat" "routed" "isolated" "internal" ]);
            default = null;
            example = "routed";
            description = "Who reaches whom. `nat`: guests reach the outside under the host's own addresses. `routed`: under their own, and the outside reaches them; the router there needs a route, which `plan` prints. `isolated`: guests reach each other and the host. `internal`: guests reach each other alone, and the host has no address there. Where it is left out, `nat` says which of `nat` and `isolated`.";
          };
          nat = mkOption {
            type = types.either types.bool types.attrs;
            default = true;
            example = literalExpression "{ uplink = \"eth0\"; ipv6 = false; }";
            description = "Whether guests reach the outside under the host's own addresses, by whatever link the routes lead to. Where it is false, they reach each other and the host alone. A set has more to say: `uplink`, the one link by which they leave, and `ipv6`, whether they do over IPv6 too.";
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
          mtu = mkOption {
            type = types.nullOr types.ints.positive;
            default = null;
            example = 9000;
            description = "The bridge's MTU, which guests learn by DHCP and router advertisements. Where it is left out, the bridge has the kernel's 1500.";
          };
          egress = {
            allow = mkOption {
              type = types.listOf types.str;
              default = [ ];
              example = [ "any tcp/443" ];
              description = "Where there is an entry, guests connect to nothing else. An entry is an address or a network, `any`, `private` (all addresses that are not the Internet's) or `host` (this host itself), and may have a port after it: `10.0.0.0/8`, `any tcp/443`, `host udp/123`, `192.0.2.7 tcp/8000-8010`. DHCP and DNS of the network are always allowed.";
            };
            deny = mkOption {
              type = types.listOf types.str;
              default = [ ];
              example = [ "host" "private" ];
              description = "What guests don't connect to, whatever is allowed. The entries are those of `allow`.";
            };
          };
        };
      }));
      default = { };
      example = literalExpression "{ home.addresses = [ \"10.20.0.1/24\" \"fd00:20::1/64\" ]; }";
      description = "Networks of the host that `microvm up` makes for the interfaces that name them: a bridge with addresses, DHCP, DNS and NAT. Not in microvm.nix.";
    };
  };
}
