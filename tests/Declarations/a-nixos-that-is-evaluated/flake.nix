{
  # In the shape of a finished NixOS configuration, with derivations that nobody has built.
  outputs = { self }:
    let
      built = name: derivation { inherit name; system = "x86_64-linux"; builder = "/bin/sh"; };
      interfaces = [ { type = "tap"; id = "vm-web"; mac = "02:00:00:00:00:01"; } ];
    in
    {
      nixosConfigurations.web.config = {
        networking.hostName = "web";
        boot.kernelPackages.kernel = built "linux" // { dev = built "linux-dev"; };
        boot.kernelParams = [ "quiet" ];
        system.boot.loader.initrdFile = "initrd";
        system.build.initialRamdisk = built "initrd";
        system.build.toplevel = built "nixos-system-web";
        microvm = { hypervisor = "qemu"; inherit interfaces; };
      };
      # To look at its interfaces nobody needs its kernel.
      nixosConfigurations.lazy.config = {
        networking.hostName = "web";
        boot.kernelPackages.kernel = throw "the kernel was evaluated";
        system.build = throw "the system was evaluated";
        microvm = { hypervisor = "qemu"; inherit interfaces; };
      };
    };
}
