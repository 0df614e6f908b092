{ lib, ... }:
{
  networking.hostName = "quickstart";

  # The guest that guest/build.sh makes; once it has an address it fetches a page.
  microvm.kernel = toString ../out/guest/vmlinuz;
  microvm.initrdPath = toString ../out/guest/initrd;
  # Without KVM and on a busy machine a guest may fail to measure its clock: tsc_early_khz spares it that.
  microvm.kernelParams = [ "fetch=http://203.0.113.1/" "seconds=60" "tsc_early_khz=2500000" ];

  microvm.interfaces = [ {
    type = "tap";

    # interface name on the host
    id = "vm-a1";

    # Ethernet address of the MicroVM's interface, not the host's
    mac = "02:00:00:00:00:01";

    # what gives it an address and a way out; it needs no declaration
    network = "default";
  } ];
}
