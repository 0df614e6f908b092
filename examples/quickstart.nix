{ lib, ... }:
{
  networking.hostName = "quickstart";

  # The guest that guest/build.sh makes.
  microvm.kernel = toString ../out/guest/vmlinuz;
  microvm.initrdPath = toString ../out/guest/initrd;
  # Without KVM and on a busy machine a guest may fail to measure its clock: tsc_early_khz spares it that.
  microvm.kernelParams = [ "guestip=10.0.9.2/24" "seconds=60" "tsc_early_khz=2500000" ];

  microvm.interfaces = [ {
    type = "tap";

    # interface name on the host
    id = "vm-a1";

    # Ethernet address of the MicroVM's interface, not the host's
    mac = "02:00:00:00:00:01";
  } ];
}
