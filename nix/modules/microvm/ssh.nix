# The guest's SSH server on AF_VSOCK, for `microvm ssh`: systemd (256 and later) has it listen there by itself where it is on.
{ config, lib, options, ... }:
let
  cfg = config.microvm;
in
{
  config = lib.mkIf (cfg.guest.enable && cfg.vsock.ssh.enable) ({
    assertions = [{
      assertion = cfg.vsock.cid != null;
      message = "MicroVM ${config.networking.hostName}: vsock.ssh.enable needs an address for the guest: set microvm.vsock.cid";
    }];
  } // lib.optionalAttrs (options ? services.openssh) {
    services.openssh.enable = lib.mkDefault true;
  });
}
