{ config, ... }:
{
  microvm.interfaces = [ { type = "tap"; id = "vm-${config.services.openssh.settings.banner}"; mac = "02:00:00:00:00:01"; } ];
}
