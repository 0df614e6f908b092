{ config, ... }: {
  networking.hostName = "outer";
  microvm.interfaces = [ { type = "tap"; id = "vm-outer"; mac = "02:00:00:00:00:01"; } ];
  microvm.vms.inner.config = { networking.hostName = "other"; microvm.interfaces = [ { type = "tap"; id = "vm-inner"; mac = "02:00:00:00:00:02"; } ]; };
  environment.etc.name.text = config.microvm.vms.inner.config.config.networking.hostName;
}
