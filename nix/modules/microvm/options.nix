# The options of a MicroVM, by the names that configurations use. The interfaces have a file of their own.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types literalExpression;
  cfg = config.microvm;
  hostName = config.networking.hostName or "$HOSTNAME";
  host = cfg.vmHostPackages;
  text = example: description: mkOption { type = types.str; inherit example description; };
  maybe = type: example: description: mkOption { type = types.nullOr type; default = null; inherit example description; };
  flag = default: description: mkOption { type = types.bool; inherit default description; example = !default; };
  words = example: description: mkOption { type = types.listOf types.str; default = [ ]; inherit example description; };
  number = type: default: example: description: mkOption { inherit type default example description; };
  package = name: what: mkOption {
    type = types.package;
    default = host.${name};
    defaultText = literalExpression "config.microvm.vmHostPackages.${name}";
    example = literalExpression "pkgs.${name}";
    description = "The package that ${what} is taken from.";
  };
in
{
  imports = [ ./interfaces.nix ];

  options.microvm = {
    guest.enable = flag true "Whether this configuration is a MicroVM's guest at all.";
    optimize.enable = flag true "Whether to make the guest smaller and quicker to boot: no documentation, systemd in the initrd, networkd without waiting for the network.";

    hypervisor = mkOption {
      type = types.enum [ "qemu" "cloud-hypervisor" "firecracker" "crosvm" "kvmtool" "stratovirt" "alioth" "vfkit" ];
      default = "qemu";
      example = "cloud-hypervisor";
      description = "The hypervisor that runs the MicroVM.";
    };
    cpu = maybe types.str "cortex-a53" "The CPU that QEMU emulates; null takes the host's. A CPU of another architecture is emulated in software, and slow.";
    vcpu = number types.ints.positive 1 2 "How many virtual CPUs the guest has. With more than one, its taps get as many queue pairs.";
    mem = number types.ints.positive 512 2048 "The guest's memory, in MiB.";
    hugepageMem = flag false "Whether the guest's memory is taken from huge pages (cloud-hypervisor).";
    hotplugMem = number types.ints.unsigned 0 4096 "How much memory may be added while the VM runs, through virtio-mem, in MiB.";
    hotpluggedMem = mkOption {
      type = types.ints.unsigned;
      default = cfg.hotplugMem;
      defaultText = literalExpression "config.microvm.hotplugMem";
      example = 1024;
      description = "How much of `hotplugMem` the VM has from its start, in MiB.";
    };
    balloon = flag false "Whether the guest has a balloon, with which the host can take memory back.";
    initialBalloonMem = number types.ints.unsigned 0 256 "How much memory the balloon holds from the start, in MiB.";
    deflateOnOOM = flag true "Whether the balloon gives memory back by itself when the guest runs out of it.";

    kernel = mkOption {
      type = types.package;
      default = config.boot.kernelPackages.kernel;
      defaultText = literalExpression "config.boot.kernelPackages.kernel";
      example = literalExpression "pkgs.linuxPackages_latest.kernel";
      description = "The guest's kernel: a package, or the path of its image. In a NixOS configuration set `boot.kernelPackages` instead.";
    };
    initrdPath = mkOption {
      type = types.path;
      default = "${config.system.build.initialRamdisk}/${config.system.boot.loader.initrdFile}";
      defaultText = literalExpression ''"''${config.system.build.initialRamdisk}/''${config.system.boot.loader.initrdFile}"'';
      example = "/var/lib/guests/initrd";
      description = "The file of the guest's initial RAM disk.";
    };
    kernelParams = words [ "console=ttyS0" ] "Parameters on the kernel's command line, after those of `boot.kernelParams`.";

    preStart = mkOption { type = types.lines; default = ""; example = "mkdir -p shared"; description = "Shell commands that run before the hypervisor starts."; };
    extraArgsScript = maybe types.str "/run/keys/vm-arguments" "A program that prints one line of further arguments for the hypervisor.";
    binScripts = mkOption {
      type = types.attrsOf types.lines;
      default = { };
      example = literalExpression "{ tap-up = lib.mkAfter ''\n  ip link set dev vm-a1 master br0\n''; }";
      description = "Scripts of the runner's `bin/`, by file name. Our own part of a script stands at order 1000: `lib.mkBefore` goes before it, `lib.mkAfter` after it, `lib.mkForce` in its place.";
    };
    socket = mkOption {
      type = types.nullOr types.str;
      default = "${hostName}.sock";
      defaultText = literalExpression ''"''${config.networking.hostName}.sock"'';
      example = "control.sock";
      description = "The hypervisor's control socket, relative to the VM's directory. Null: no socket, and no graceful stop.";
    };
    user = maybe types.str "microvm" "The user that a hypervisor started by root becomes.";
    prettyProcnames = flag true "Whether the hypervisor's process is named `microvm@NAME`.";

    forwardPorts = mkOption {
      type = types.listOf (types.submodule {
        options = {
          from = mkOption { type = types.enum [ "host" "guest" ]; default = "host"; example = "guest"; description = "Which side opens the connection: `host` reaches the guest's port, `guest` the host's."; };
          proto = mkOption { type = types.enum [ "tcp" "udp" ]; default = "tcp"; example = "udp"; description = "The protocol that is forwarded."; };
          host.address = mkOption { type = types.str; default = ""; example = "127.0.0.1"; description = "The host's IPv4 address; empty means all of them."; };
          host.port = mkOption { type = types.port; example = 2222; description = "The port on the host."; };
          guest.address = mkOption { type = types.str; default = ""; example = "10.0.2.15"; description = "The guest's IPv4 address; empty means the one that user networking hands out."; };
          guest.port = mkOption { type = types.port; example = 22; description = "The port in the guest."; };
        };
      });
      default = [ ];
      example = literalExpression "[ { host.port = 2222; guest.port = 22; } ]";
      description = "Ports that an interface of type `user` forwards.";
    };

    volumes = mkOption {
      type = types.listOf (types.submodule {
        options = {
          image = text "var.img" "The disk image's file on the host.";
          mountPoint = mkOption { type = types.nullOr types.path; example = "/var"; description = "Where the guest mounts it; null: nowhere."; };
          size = mkOption { type = types.int; example = 256; description = "The size of an image that is made on the first start, in MiB."; };
          autoCreate = flag true "Whether a missing image is made before the start.";
          fsType = mkOption { type = types.str; default = "ext4"; example = "btrfs"; description = "The file system that a new image gets."; };
          label = maybe types.str "data" "The label that a new file system gets.";
          mkfsExtraArgs = words [ "-m" "0" ] "Further arguments of mkfs.";
          readOnly = flag false "Whether the guest may only read it.";
          direct = flag false "Whether the host opens it with O_DIRECT.";
          serial = maybe types.str "disk-1" "The serial number that the guest sees.";
          imageType = mkOption { type = types.enum [ "raw" "qcow2" "vhd" "vhdx" ]; default = "raw"; example = "qcow2"; description = "The image's format (cloud-hypervisor)."; };
        };
      });
      default = [ ];
      example = literalExpression ''[ { image = "var.img"; mountPoint = "/var"; size = 256; } ]'';
      description = "Disk images.";
    };

    shares = mkOption {
      type = types.listOf (types.submodule ({ config, ... }: {
        options = {
          tag = text "ro-store" "The name by which the guest mounts it; each share has its own.";
          source = mkOption { type = types.nonEmptyStr; example = "/nix/store"; description = "The directory on the host."; };
          mountPoint = mkOption { type = types.path; example = "/nix/.ro-store"; description = "Where the guest mounts it."; };
          proto = mkOption { type = types.enum [ "9p" "virtiofs" ]; default = "9p"; example = "virtiofs"; description = "How it is shared."; };
          socket = mkOption {
            type = types.nullOr types.str;
            default = if config.proto == "virtiofs" then "${hostName}-virtiofs-${config.tag}.sock" else null;
            defaultText = literalExpression ''if proto == "virtiofs" then "''${hostName}-virtiofs-''${tag}.sock" else null'';
            example = "home.sock";
            description = "The socket of its virtiofs daemon.";
          };
          securityModel = mkOption { type = types.enum [ "passthrough" "none" "mapped" "mapped-file" ]; default = "none"; example = "mapped"; description = "How 9p keeps owners and modes."; };
          readOnly = flag false "Whether the guest may only read it.";
          cache = mkOption { type = types.enum [ "auto" "always" "metadata" "never" ]; default = "auto"; example = "never"; description = "What virtiofs caches."; };
          posixAcl = flag true "Whether virtiofsd serves POSIX ACLs; it can't together with `--translate-uid`.";
          extraArgs = words [ "--translate-uid" "guest:999:1000:1" ] "Further arguments of this share's virtiofsd.";
        };
      }));
      default = [ ];
      example = literalExpression ''[ { proto = "virtiofs"; tag = "home"; source = "home"; mountPoint = "/home"; } ]'';
      description = "Directories of the host that the guest sees.";
    };

    devices = mkOption {
      type = types.listOf (types.submodule {
        options = {
          bus = mkOption { type = types.enum [ "pci" "usb" ]; example = "pci"; description = "The bus that the device is on."; };
          path = text "0000:01:00.0" "Where on the bus: a PCI address, or `vendorid=…,productid=…`.";
          deviceExtraArgs = maybe types.str "x-igd-opregion=on" "As `qemu.deviceExtraArgs`.";
          qemu.id = maybe types.str "card" "QEMU's name for it.";
          qemu.bus = maybe types.str "pci_port_0" "The QEMU bus that it is attached to.";
          qemu.deviceExtraArgs = maybe types.str "x-igd-opregion=on" "Further properties of QEMU's device.";
        };
      });
      default = [ ];
      example = literalExpression ''[ { bus = "pci"; path = "0000:06:00.1"; } ]'';
      description = "Devices of the host that are handed to the guest.";
    };

    vsock.ssh.enable = flag false "Whether the guest's SSH server listens on AF_VSOCK.";
    vsock.cid = maybe types.int 1000 "The guest's address for AF_VSOCK; 0 to 2 are taken.";
    credentialFiles = mkOption {
      type = types.attrsOf types.path;
      default = { };
      example = { TOKEN = "/run/secrets/token"; };
      description = "Files of the host that the guest's systemd gets as credentials.";
    };
    registerWithMachined = flag false "Whether the VM is registered with systemd-machined, for machinectl.";
    machineId = mkOption {
      type = types.nullOr types.str;
      default = let h = builtins.hashString "sha256" "microvm.nix:${hostName}"; part = builtins.substring; in
        "${part 0 8 h}-${part 8 4 h}-${part 12 4 h}-${part 16 4 h}-${part 20 12 h}";
      defaultText = literalExpression "a UUID made from the VM's name";
      example = "a67472e5-570e-5c8a-b18c-ae3c77701050";
      description = "The VM's UUID: systemd-machined and SMBIOS show it.";
    };

    storeOnDisk = mkOption {
      type = types.bool;
      default = !builtins.any (share: share.source == "/nix/store") cfg.shares;
      defaultText = literalExpression "no share has the source /nix/store";
      example = true;
      description = "Whether the guest's /nix/store is a disk image.";
    };
    registerClosure = flag true "Whether the guest's Nix database knows its store's paths.";
    writableStoreOverlay = maybe types.str "/nix/.rw-store" "Where the writable layer over /nix/store is; null: the store is read-only.";
    storeDiskType = mkOption { type = types.enum [ "squashfs" "erofs" ]; default = "erofs"; example = "squashfs"; description = "The file system of the store's image."; };
    storeDiskErofsFlags = mkOption { type = types.listOf types.str; default = [ "-zlz4hc" ]; example = [ "-zlz4hc" "-Ededupe" ]; description = "Flags of mkfs.erofs."; };
    storeDiskSquashfsFlags = mkOption { type = types.listOf types.str; default = [ "-c" "zstd" "-j" "$NIX_BUILD_CORES" ]; example = [ "-c" "lz4" ]; description = "Flags of gensquashfs."; };
    storeDisk = mkOption { type = types.path; internal = true; example = "/nix/store/…-store.erofs"; description = "The store's image, once built."; };
    bootDisk = mkOption { type = types.path; internal = true; example = "/nix/store/…-boot.img"; description = "The boot image, once built, for hypervisors that load no kernel themselves."; };
    systemSymlink = mkOption {
      type = types.bool;
      default = !cfg.storeOnDisk;
      defaultText = literalExpression "!config.microvm.storeOnDisk";
      example = false;
      description = "Whether the runner links to the guest's system, so that `microvm list` can compare versions.";
    };

    graphics = {
      enable = flag false "Whether the guest has a graphical display.";
      backend = mkOption { type = types.enum [ "gtk" "cocoa" "headless" ]; default = "gtk"; example = "headless"; description = "How QEMU shows the display."; };
      socket = mkOption { type = types.str; default = "${hostName}-gpu.sock"; defaultText = literalExpression ''"''${hostName}-gpu.sock"''; example = "gpu.sock"; description = "The vhost-user socket of the GPU."; };
      vulkan = maybe (types.enum [ "venus" "drm_native_context" ]) "venus" "The protocol by which QEMU's virtio-gpu carries Vulkan.";
      hostmem = mkOption { type = types.str; default = "256M"; example = "1G"; description = "The size of virtio-gpu's window into the host's memory."; };
      crosvmPackage = package "crosvm" "the crosvm that draws";
    };

    vmHostPackages = mkOption {
      type = types.pkgs;
      default = if cfg.cpu == null then pkgs else pkgs.buildPackages;
      defaultText = literalExpression "if config.microvm.cpu == null then pkgs else pkgs.buildPackages";
      example = literalExpression "nixpkgs.legacyPackages.x86_64-linux";
      description = "The package set that the hypervisor and the runner's scripts are from.";
    };
    qemu.machine = mkOption { type = types.str; default = if pkgs.stdenv.hostPlatform.isAarch64 then "virt" else "microvm"; defaultText = literalExpression ''"microvm", or "virt" on ARM''; example = "q35"; description = "QEMU's machine model."; };
    qemu.machineOpts = maybe (types.attrsOf types.str) { acpi = "on"; } "Options of the machine model, in the place of ours.";
    qemu.extraArgs = words [ "-vnc" ":0" ] "Further arguments of QEMU.";
    qemu.serialConsole = flag true "Whether QEMU gives the guest a serial console.";
    qemu.pcieRootPorts = mkOption {
      type = types.listOf (types.submodule {
        options = {
          id = text "pci_port_0" "The port's name, unique in the VM.";
          bus = maybe types.str "pcie.0" "The bus that the port is on.";
          chassis = maybe types.int 0 "The port's chassis number.";
          slot = maybe types.str "1" "The port's slot number.";
          addr = maybe types.str "0x1c" "The port's address on its bus.";
        };
      });
      default = [ ];
      example = literalExpression ''[ { id = "pci_port_0"; bus = "pcie.0"; chassis = 0; } ]'';
      description = "PCIe root ports, for devices that come and go while the VM runs.";
    };
    qemu.package = package "qemu_kvm" "QEMU";
    cloud-hypervisor.extraArgs = words [ "--watchdog" ] "Further arguments of cloud-hypervisor.";
    cloud-hypervisor.platformOEMStrings = words [ "io.systemd.credential:KEY=value" ] "OEM strings that the guest's SMBIOS shows, without `oem_strings=`.";
    cloud-hypervisor.package = package "cloud-hypervisor" "cloud-hypervisor";
    crosvm.extraArgs = words [ "--disable-sandbox" ] "Further arguments of crosvm.";
    crosvm.pivotRoot = maybe types.str "/var/empty" "The directory that crosvm's sandbox has for a root.";
    crosvm.package = package "crosvm" "crosvm";
    firecracker.cpu = maybe types.attrs { cpuid_modifiers = [ ]; } "A CPU template of Firecracker.";
    firecracker.driveIoEngine = mkOption { type = types.enum [ "Async" "Sync" ]; default = "Async"; example = "Sync"; description = "How Firecracker reads and writes disks."; };
    firecracker.extraArgs = words [ "--no-seccomp" ] "Further arguments of Firecracker.";
    firecracker.extraConfig = mkOption { type = types.attrs; default = { }; example = { logger.level = "Debug"; }; description = "What is merged into Firecracker's configuration file."; };
    firecracker.package = package "firecracker" "Firecracker";
    kvmtool.package = package "kvmtool" "kvmtool";
    stratovirt.package = package "stratovirt" "StratoVirt";
    alioth.package = package "alioth" "Alioth";
    vfkit.extraArgs = words [ "--restful-uri" "none://" ] "Further arguments of vfkit.";
    vfkit.logLevel = mkOption { type = types.nullOr (types.enum [ "debug" "info" "error" ]); default = "info"; example = "debug"; description = "How much vfkit logs."; };
    vfkit.package = package "vfkit" "vfkit";
    vfkit.rosetta.enable = flag false "Whether an ARM guest runs x86-64 programs through Rosetta.";
    vfkit.rosetta.install = flag false "Whether a missing Rosetta is installed.";
    vfkit.rosetta.ignoreIfMissing = flag false "Whether to go on where Rosetta can't be had.";

    virtiofsd.inodeFileHandles = mkOption { type = types.nullOr (types.enum [ "never" "prefer" "mandatory" ]); default = "prefer"; example = "never"; description = "When virtiofsd refers to files by handle rather than by an open descriptor."; };
    virtiofsd.threadPoolSize = mkOption { type = types.either types.str types.ints.unsigned; default = "`nproc`"; example = 4; description = "How many threads virtiofsd has."; };
    virtiofsd.group = mkOption { type = types.nullOr types.str; default = "kvm"; example = "microvm"; description = "The group that owns virtiofsd's sockets."; };
    virtiofsd.extraArgs = words [ "--log-level" "debug" ] "Further arguments of every virtiofsd.";
    virtiofsd.package = package "virtiofsd" "virtiofsd";

    deploy = lib.genAttrs [ "installOnHost" "sshSwitch" "rebuild" ] (script: mkOption {
      type = types.nullOr types.package;
      default = null;
      internal = true;
      example = literalExpression "pkgs.hello";
      description = "microvm.nix's script ${script}, where its module is imported.";
    });
    runner = mkOption { type = types.attrsOf types.package; default = { }; example = literalExpression "{ qemu = pkgs.hello; }"; description = "The VM's runner for each hypervisor."; };
    declaredRunner = mkOption {
      type = types.package;
      default = cfg.runner.${cfg.hypervisor};
      defaultText = literalExpression "config.microvm.runner.\${config.microvm.hypervisor}";
      example = literalExpression "config.microvm.runner.qemu";
      description = "The runner for the declared hypervisor.";
    };
  };
}
