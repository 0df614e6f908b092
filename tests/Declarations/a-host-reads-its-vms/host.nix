{ config, lib, ... }: {
  networking.hostName = "outer";
  microvm.vms.inner.config = { networking.hostName = "guest"; microvm.mem = 700; microvm.interfaces = [ { type = "tap"; id = "vm-inner"; mac = "02:00:00:00:00:02"; } ]; };
  # A guest of its own, whose interface tells what the host read of the VM.
  microvm.interfaces = map (i: i // {
    id = "${config.microvm.vms.inner.config.config.networking.hostName}-${toString config.microvm.vms.inner.config.config.microvm.mem}";
    mac = "02:00:00:00:00:01";
  }) config.microvm.vms.inner.config.config.microvm.interfaces;
}
