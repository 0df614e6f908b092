# Written by scripts/generate.sh from src/Microvm.Declaration/Options; do not edit.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types literalExpression;
  cfg = config.microvm;
  hostName = config.networking.hostName or "$HOSTNAME";
in
{
  imports = [ ./outputs.nix ./networks.nix ];

  options.microvm = {
    hypervisor = mkOption {
      type = types.enum [ "qemu" "cloud-hypervisor" "firecracker" "crosvm" "kvmtool" "stratovirt" "alioth" "vfkit" ];
      default = "qemu";
      example = "cloud-hypervisor";
      description = "The hypervisor that runs the MicroVM.";
    };
    vcpu = mkOption {
      type = types.ints.positive;
      default = 1;
      example = 2;
      description = "How many virtual CPUs the guest has. With more than one, an interface gets as many queue pairs where the hypervisor can.";
    };
    mem = mkOption {
      type = types.ints.positive;
      default = 512;
      example = 2048;
      description = "The guest's memory, in MiB.";
    };
    hugepageMem = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = "Whether the guest's memory is taken from huge pages.";
    };
    hotplugMem = mkOption {
      type = types.ints.unsigned;
      default = 0;
      example = 4096;
      description = "How much memory may be added while the VM runs, through virtio-mem, in MiB.";
    };
    hotpluggedMem = mkOption {
      type = types.ints.unsigned;
      default = cfg.hotplugMem;
      defaultText = literalExpression "config.microvm.hotplugMem";
      example = 1024;
      description = "How much of `hotplugMem` the VM has from its start, in MiB.";
    };
    balloon = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = "Whether the guest has a balloon, with which the host can take memory back.";
    };
    initialBalloonMem = mkOption {
      type = types.ints.unsigned;
      default = 0;
      example = 256;
      description = "How much memory the balloon holds from the start, in MiB.";
    };
    deflateOnOOM = mkOption {
      type = types.bool;
      default = true;
      example = false;
      description = "Whether the balloon gives memory back by itself when the guest runs out of it.";
    };
    cpu = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "cortex-a53";
      description = "The CPU that QEMU emulates; null takes the host's. A CPU of another architecture is emulated in software, and slow.";
    };
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
      defaultText = literalExpression "\"\${config.system.build.initialRamdisk}/\${config.system.boot.loader.initrdFile}\"";
      example = "/var/lib/guests/initrd";
      description = "The file of the guest's initial RAM disk.";
    };
    kernelParams = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "console=ttyS0" ];
      description = "Parameters on the kernel's command line; in a NixOS configuration they follow those of `boot.kernelParams`.";
    };
    interfaces = mkOption {
      type = types.listOf (types.submodule ({ config, options, ... }: {
        options = {
          type = mkOption {
            type = types.enum [ "user" "tap" "macvtap" "bridge" ];
            example = "tap";
            description = "How the interface reaches a network: through the hypervisor itself (`user`), a tap, a macvtap on a device of the host, or a tap on a bridge that QEMU's helper can make (`bridge`).";
          };
          id = mkOption {
            type = types.str;
            example = "vm-a1";
            description = "The interface's name on the host: 1 to 15 bytes that Linux accepts, unique among all VMs.";
          };
          mac = mkOption {
            type = types.str;
            example = "02:00:00:00:00:01";
            description = "The Ethernet address of the guest's side, which is unicast. Locally administered ones have 2, 6, A or E as their second digit.";
          };
          bridge = mkOption {
            type = types.nullOr types.str;
            default = null;
            example = "br0";
            description = "The bridge to attach to: required for type `bridge`, welcome for type `tap`. Where it is left out, others decide what a tap is attached to (systemd-networkd, Open vSwitch, a script); `null`, written down, says that the tap is attached to nothing.";
          };
          network = mkOption {
            type = types.nullOr types.str;
            default = null;
            example = "home";
            description = "Type `tap`: the network of `microvm.networks` that the tap joins, which `microvm up` makes; `default` needs no declaration. Not in microvm.nix.";
          };
          addresses = mkOption {
            type = types.listOf types.str;
            default = [ ];
            example = [ "10.20.0.20" ];
            description = "With `network`: the addresses that the guest is given by DHCP, one of each family at most. Where they are left out, microvm chooses some that stay the same. On a bridge of your own with `antiSpoof = \"ip\"`: the addresses that the guest has. Not in microvm.nix.";
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
          mtu = mkOption {
            type = types.nullOr types.ints.positive;
            default = null;
            example = 9000;
            description = "The largest packet on the interface, in bytes. The guest learns it where the hypervisor can tell it. Where it is left out, the link has that of its bridge or lower device when it is made, and later changes are not undone. Not in microvm.nix.";
          };
          isolated = mkOption {
            type = types.nullOr types.bool;
            default = null;
            example = true;
            description = "Types `tap` and `bridge`: whether the guest reaches only those ports of its bridge that are not isolated, such as the uplink, and the host itself. Where it is left out, the port stays as it is. Not in microvm.nix.";
          };
          antiSpoof = mkOption {
            type = types.nullOr (types.enum [ "off" "mac" "ip" ]);
            default = null;
            example = "mac";
            description = "Types `tap` and `bridge`: what the guest may send under: with `mac` under its declared MAC alone, with `ip` under that and its addresses (those of `addresses`, or that its network gives it), with `off` under any. Where it is left out, the port stays as it is. Not in microvm.nix.";
          };
          bridgeHelper = mkOption {
            type = types.nullOr types.bool;
            default = null;
            example = false;
            description = "Type `bridge` on QEMU: true lets qemu-bridge-helper make the tap, false has `microvm up` make it, with QEMU's sandbox fully on. Where it is left out or null, QEMU uses the helper and the other hypervisors do not. Not in microvm.nix.";
          };
          macvtap = {
            link = mkOption {
              type = types.str;
              example = "eth0";
              description = "The host's device that the macvtap sits on.";
            };
            mode = mkOption {
              type = types.enum [ "private" "vepa" "bridge" "passthru" "source" ];
              example = "bridge";
              description = "Which other stations on that device the macvtap may reach.";
            };
            sourceMacs = mkOption {
              type = types.listOf types.str;
              default = [ ];
              example = [ "02:00:00:00:00:02" ];
              description = "Mode `source`: the senders whose frames are let through. Not in microvm.nix.";
            };
          };
          tap = {
            vhost = mkOption {
              type = types.bool;
              default = false;
              example = true;
              description = "Whether the host's kernel carries the packets of the tap (vhost-net), for more throughput.";
            };
            txQueueLength = mkOption {
              type = types.nullOr types.ints.positive;
              default = null;
              example = 5000;
              description = "How many packets wait for the guest before one is dropped. Where it is left out, the kernel's own length of 1000 stays. Not in microvm.nix.";
            };
          };
          host = {
            addresses = mkOption {
              type = types.listOf types.str;
              default = [ ];
              example = [ "10.0.9.1/32" "fd00:9::1/128" ];
              description = "Addresses of the host on the tap, with their prefixes. Not in microvm.nix.";
            };
            routes = mkOption {
              type = types.listOf types.str;
              default = [ ];
              example = [ "10.0.9.2/32" "10.1.0.0/24 via 10.0.9.2" ];
              description = "What the host sends to the guest: networks, each with `via ADDRESS` and `metric NUMBER` where it needs them. A route to one address makes the guest's MAC known under it too, so that the host need not ask. Not in microvm.nix.";
            };
          };
          guest = {
            addresses = mkOption {
              type = types.listOf types.str;
              default = [ ];
              example = [ "10.20.0.20/24" ];
              description = "The guest's own IPv4 address with its prefix, which it is told on the kernel's command line. It counts as one of `addresses`, and on a tap with `host.addresses` the host has a route to it. Not in microvm.nix.";
            };
            gateway = mkOption {
              type = types.nullOr types.str;
              default = null;
              example = "10.20.0.1";
              description = "The guest's gateway. Where it is left out, the host's address in its `network` or on its tap. Not in microvm.nix.";
            };
            dns = mkOption {
              type = types.listOf types.str;
              default = [ ];
              example = [ "10.20.0.1" ];
              description = "The guest's name servers, two at most. Where there is none, the host's address in its `network`, if that has `dns`. Not in microvm.nix.";
            };
          };
          user = {
            kernelIp = mkOption {
              type = types.bool;
              default = false;
              example = true;
              description = "Type `user` on kvmtool, where DHCP may be missing: whether the guest's static address is passed on the kernel's command line. Not in microvm.nix.";
            };
          };
          declared = mkOption {
            type = types.attrs;
            default = import ../../lib/declared.nix (import ./table.nix).interface options;
            internal = true;
            visible = false;
            readOnly = true;
            description = "What was written of it, as a declaration in JSON has it.";
          };
        };
      }));
      default = [ ];
      example = literalExpression "[ { type = \"tap\"; id = \"vm-a1\"; mac = \"02:00:00:00:00:01\"; } ]";
      description = "The VM's network interfaces.";
    };
    assertions = {
      reach = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "web -> db:5432" "web !-> internet" ];
        description = "Who reaches whom (`->`), or must not (`!->`): a VM, VM/INTERFACE, `host`, `internet` or an address, and for the other end a port, as in `db:53/udp`. A VM that is declared elsewhere is left to a check of all declarations together.";
      };
    };
    forwardPorts = mkOption {
      type = types.listOf (types.submodule ({ config, options, ... }: {
        options = {
          from = mkOption {
            type = types.enum [ "host" "guest" ];
            default = "host";
            example = "guest";
            description = "Which side opens the connection: `host` reaches the guest's port, `guest` the host's.";
          };
          proto = mkOption {
            type = types.enum [ "tcp" "udp" ];
            default = "tcp";
            example = "udp";
            description = "The protocol that is forwarded.";
          };
          host = {
            address = mkOption {
              type = types.str;
              default = "";
              example = "127.0.0.1";
              description = "The host's IPv4 address; empty means all of them.";
            };
            port = mkOption {
              type = types.port;
              example = 2222;
              description = "The port on the host.";
            };
          };
          count = mkOption {
            type = types.ints.positive;
            default = 1;
            example = 11;
            description = "How many ports in a row are forwarded, beginning with the two that are named.";
          };
          guest = {
            address = mkOption {
              type = types.str;
              default = "";
              example = "10.0.2.15";
              description = "The guest's IPv4 address; empty means the one that user networking hands out.";
            };
            port = mkOption {
              type = types.port;
              example = 22;
              description = "The port in the guest.";
            };
          };
        };
      }));
      default = [ ];
      example = literalExpression "[ { host.port = 2222; guest.port = 22; } ]";
      description = "Ports of the host that lead to the guest: to its interface of type `user`, or else to the first that joins a network.";
    };
    volumes = mkOption {
      type = types.listOf (types.submodule ({ config, options, ... }: {
        options = {
          image = mkOption {
            type = types.str;
            example = "var.img";
            description = "The disk image's file on the host, relative to the VM's directory.";
          };
          serial = mkOption {
            type = types.nullOr types.str;
            default = null;
            example = "disk-1";
            description = "The serial number that the guest sees.";
          };
          direct = mkOption {
            type = types.bool;
            default = false;
            example = true;
            description = "Whether the host opens the image with O_DIRECT, past its page cache.";
          };
          readOnly = mkOption {
            type = types.bool;
            default = false;
            example = true;
            description = "Whether the guest may only read it.";
          };
          label = mkOption {
            type = types.nullOr types.str;
            default = null;
            example = "data";
            description = "The label that a new file system gets.";
          };
          mountPoint = mkOption {
            type = types.nullOr types.path;
            example = "/var";
            description = "Where the guest mounts it; null means nowhere.";
          };
          size = mkOption {
            type = types.int;
            example = 256;
            description = "The size of an image that is made before the first start, in MiB.";
          };
          autoCreate = mkOption {
            type = types.bool;
            default = true;
            example = false;
            description = "Whether a missing image is made before the start.";
          };
          mkfsExtraArgs = mkOption {
            type = types.listOf types.str;
            default = [ ];
            example = [ "-m" "0" ];
            description = "Further arguments for mkfs.";
          };
          fsType = mkOption {
            type = types.str;
            default = "ext4";
            example = "btrfs";
            description = "The file system that a new image gets, and that the guest mounts.";
          };
          imageType = mkOption {
            type = types.enum [ "raw" "qcow2" "vhd" "vhdx" ];
            default = "raw";
            example = "qcow2";
            description = "The image's format (cloud-hypervisor).";
          };
        };
      }));
      default = [ ];
      example = literalExpression "[ { image = \"var.img\"; mountPoint = \"/var\"; size = 256; } ]";
      description = "Disk images.";
    };
    shares = mkOption {
      type = types.listOf (types.submodule ({ config, options, ... }: {
        options = {
          tag = mkOption {
            type = types.str;
            example = "ro-store";
            description = "The name by which the guest mounts it; each share has its own.";
          };
          source = mkOption {
            type = types.nonEmptyStr;
            example = "/nix/store";
            description = "The directory on the host.";
          };
          mountPoint = mkOption {
            type = types.path;
            example = "/nix/.ro-store";
            description = "Where the guest mounts it.";
          };
          proto = mkOption {
            type = types.enum [ "9p" "virtiofs" ];
            default = "9p";
            example = "virtiofs";
            description = "How the directory is shared.";
          };
          socket = mkOption {
            type = types.nullOr types.str;
            default = if config.proto == "virtiofs" then "${hostName}-virtiofs-${config.tag}.sock" else null;
            defaultText = literalExpression "if proto == \"virtiofs\" then \"\${hostName}-virtiofs-\${tag}.sock\" else null";
            example = "home.sock";
            description = "The socket of its virtiofsd.";
          };
          securityModel = mkOption {
            type = types.enum [ "passthrough" "none" "mapped" "mapped-file" ];
            default = "none";
            example = "mapped";
            description = "How 9p keeps owners and modes.";
          };
          readOnly = mkOption {
            type = types.bool;
            default = false;
            example = true;
            description = "Whether the guest may only read it.";
          };
          cache = mkOption {
            type = types.enum [ "auto" "always" "metadata" "never" ];
            default = "auto";
            example = "never";
            description = "What the guest caches of a virtiofs share.";
          };
          posixAcl = mkOption {
            type = types.bool;
            default = true;
            example = false;
            description = "Whether virtiofsd serves POSIX ACLs, which excludes its argument `--translate-uid`.";
          };
          extraArgs = mkOption {
            type = types.listOf types.str;
            default = [ ];
            example = [ "--translate-uid" "guest:999:1000:1" ];
            description = "Further arguments for this share's virtiofsd.";
          };
        };
      }));
      default = [ ];
      example = literalExpression "[ { proto = \"virtiofs\"; tag = \"home\"; source = \"home\"; mountPoint = \"/home\"; } ]";
      description = "Directories of the host that the guest sees.";
    };
    devices = mkOption {
      type = types.listOf (types.submodule ({ config, options, ... }: {
        options = {
          bus = mkOption {
            type = types.enum [ "pci" "usb" ];
            example = "pci";
            description = "The bus that the device is on.";
          };
          path = mkOption {
            type = types.str;
            example = "0000:01:00.0";
            description = "Where the device is on its bus. PCI: its address, like `0000:01:00.0`. USB: `vendorid=0xabcd,productid=0x0123` or `hostbus=1,hostaddr=2`.";
          };
          deviceExtraArgs = mkOption {
            type = types.nullOr types.str;
            default = null;
            example = "x-igd-opregion=on";
            description = "The same as `qemu.deviceExtraArgs`.";
          };
          qemu = {
            id = mkOption {
              type = types.nullOr types.str;
              default = null;
              example = "card";
              description = "QEMU's name for the device.";
            };
            bus = mkOption {
              type = types.nullOr types.str;
              default = null;
              example = "pci_port_0";
              description = "The QEMU bus that the device is attached to.";
            };
            deviceExtraArgs = mkOption {
              type = types.nullOr types.str;
              default = null;
              example = "x-igd-opregion=on";
              description = "Further properties of QEMU's device, as QEMU writes them.";
            };
          };
        };
      }));
      default = [ ];
      example = literalExpression "[ { bus = \"pci\"; path = \"0000:06:00.1\"; } ]";
      description = "Devices of the host that are handed to the guest.";
    };
    vsock = {
      cid = mkOption {
        type = types.nullOr types.int;
        default = null;
        example = 1000;
        description = "The guest's address for AF_VSOCK, which setting it turns on; 0 to 2 are reserved.";
      };
      ssh = {
        enable = mkOption {
          type = types.bool;
          default = false;
          example = true;
          description = "Whether the guest's SSH server listens on AF_VSOCK, for `microvm ssh`; it needs `vsock.cid`.";
        };
      };
    };
    credentialFiles = mkOption {
      type = types.attrsOf types.path;
      default = { };
      example = literalExpression "{ TOKEN = \"/run/secrets/token\"; }";
      description = "Files of the host that the guest's systemd gets as credentials, by name.";
    };
    socket = mkOption {
      type = types.nullOr types.str;
      default = "${hostName}.sock";
      defaultText = literalExpression "\"\${config.networking.hostName}.sock\"";
      example = "control.sock";
      description = "The hypervisor's control socket, relative to the VM's directory. Null: no socket, and no graceful stop.";
    };
    user = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "microvm";
      description = "The user that a hypervisor started by root becomes.";
    };
    preStart = mkOption {
      type = types.lines;
      default = "";
      example = "mkdir -p shared";
      description = "Shell commands that run before the hypervisor starts.";
    };
    extraArgsScript = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "/run/keys/vm-arguments";
      description = "A program that prints one line of further arguments for the hypervisor.";
    };
    binScripts = mkOption {
      type = types.attrsOf types.lines;
      default = { };
      example = literalExpression "{ tap-up = lib.mkAfter ''\n  ip link set dev vm-a1 master br0\n''; }";
      description = "Scripts of the runner's `bin/`, by file name. Our own part of a script stands at order 1000: `lib.mkBefore` goes before it, `lib.mkAfter` after it, `lib.mkForce` in its place.";
    };
    prettyProcnames = mkOption {
      type = types.bool;
      default = true;
      example = false;
      description = "Whether the hypervisor's process is named `microvm@NAME`.";
    };
    machineId = mkOption {
      type = types.nullOr types.str;
      default = let h = builtins.hashString "sha256" "microvm.nix:${hostName}"; part = builtins.substring; in "${part 0 8 h}-${part 8 4 h}-${part 12 4 h}-${part 16 4 h}-${part 20 12 h}";
      defaultText = literalExpression "a UUID made from the VM's name";
      example = "a67472e5-570e-5c8a-b18c-ae3c77701050";
      description = "The VM's UUID, which systemd-machined and SMBIOS show.";
    };
    storeOnDisk = mkOption {
      type = types.bool;
      default = !builtins.any (share: share.source == "/nix/store") cfg.shares;
      defaultText = literalExpression "no share has the source /nix/store";
      example = true;
      description = "Whether the guest's /nix/store is a disk image: `storeDisk`, where it is given, is attached as the first disk, read-only.";
    };
    storeDisk = mkOption {
      type = types.path;
      example = "/nix/store/…-store.erofs";
      internal = true;
      description = "The image of the guest's /nix/store.";
    };
    graphics = {
      enable = mkOption {
        type = types.bool;
        default = false;
        example = true;
        description = "Whether the guest has a graphical display.";
      };
      backend = mkOption {
        type = types.enum [ "gtk" "cocoa" "headless" ];
        default = "gtk";
        example = "headless";
        description = "How QEMU shows the display.";
      };
      socket = mkOption {
        type = types.str;
        default = "${hostName}-gpu.sock";
        defaultText = literalExpression "\"\${hostName}-gpu.sock\"";
        example = "gpu.sock";
        description = "The vhost-user socket of the GPU.";
      };
      vulkan = mkOption {
        type = types.nullOr (types.enum [ "venus" "drm_native_context" ]);
        default = null;
        example = "venus";
        description = "The protocol by which QEMU's virtio-gpu carries Vulkan.";
      };
      hostmem = mkOption {
        type = types.str;
        default = "256M";
        example = "1G";
        description = "The size of virtio-gpu's window into the host's memory, with the unit M or G.";
      };
      crosvmPackage = mkOption {
        type = types.package;
        default = cfg.vmHostPackages.crosvm;
        defaultText = literalExpression "config.microvm.vmHostPackages.crosvm";
        example = literalExpression "pkgs.crosvm";
        description = "The package that the crosvm that draws is taken from.";
      };
    };
    qemu = {
      machine = mkOption {
        type = types.str;
        default = if pkgs.stdenv.hostPlatform.isAarch64 then "virt" else "microvm";
        defaultText = literalExpression "\"microvm\", or \"virt\" on ARM";
        example = "q35";
        description = "QEMU's machine model.";
      };
      machineOpts = mkOption {
        type = types.nullOr (types.attrsOf types.str);
        default = null;
        example = literalExpression "{ acpi = \"on\"; }";
        description = "Options of the machine model, instead of the default ones.";
      };
      extraArgs = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "-vnc" ":0" ];
        description = "Further arguments for QEMU, each one word.";
      };
      serialConsole = mkOption {
        type = types.bool;
        default = true;
        example = false;
        description = "Whether QEMU gives the guest a serial console, on standard input and output.";
      };
      pcieRootPorts = mkOption {
        type = types.listOf (types.submodule ({ config, options, ... }: {
          options = {
            id = mkOption {
              type = types.str;
              example = "pci_port_0";
              description = "The port's name, unique in the VM.";
            };
            bus = mkOption {
              type = types.nullOr types.str;
              default = null;
              example = "pcie.0";
              description = "The bus that the port is on.";
            };
            chassis = mkOption {
              type = types.nullOr types.int;
              default = null;
              example = 0;
              description = "The port's chassis number.";
            };
            slot = mkOption {
              type = types.nullOr types.str;
              default = null;
              example = "1";
              description = "The port's slot number.";
            };
            addr = mkOption {
              type = types.nullOr types.str;
              default = null;
              example = "0x1c";
              description = "The port's address on its bus.";
            };
          };
        }));
        default = [ ];
        example = literalExpression "[ { id = \"pci_port_0\"; bus = \"pcie.0\"; chassis = 0; } ]";
        description = "PCIe root ports, for devices that come and go while the VM runs.";
      };
      package = mkOption {
        type = types.package;
        default = cfg.vmHostPackages.qemu_kvm;
        defaultText = literalExpression "config.microvm.vmHostPackages.qemu_kvm";
        example = literalExpression "pkgs.qemu_kvm";
        description = "The package that QEMU is taken from. Where none is given, the program is looked for on the PATH.";
      };
    };
    cloud-hypervisor = {
      platformOEMStrings = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "io.systemd.credential:KEY=value" ];
        description = "OEM strings that the guest's SMBIOS shows, without `oem_strings=`.";
      };
      extraArgs = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "--watchdog" ];
        description = "Further arguments for cloud-hypervisor, each one word.";
      };
      package = mkOption {
        type = types.package;
        default = cfg.vmHostPackages.cloud-hypervisor;
        defaultText = literalExpression "config.microvm.vmHostPackages.cloud-hypervisor";
        example = literalExpression "pkgs.cloud-hypervisor";
        description = "The package that cloud-hypervisor is taken from. Where none is given, the program is looked for on the PATH.";
      };
    };
    firecracker = {
      cpu = mkOption {
        type = types.nullOr types.attrs;
        default = null;
        example = literalExpression "{ cpuid_modifiers = [ ]; }";
        description = "A CPU template, as Firecracker's documentation has it.";
      };
      driveIoEngine = mkOption {
        type = types.enum [ "Async" "Sync" ];
        default = "Async";
        example = "Sync";
        description = "How Firecracker reads and writes disks.";
      };
      extraArgs = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "--no-seccomp" ];
        description = "Further arguments for Firecracker, each one word.";
      };
      extraConfig = mkOption {
        type = types.attrs;
        default = { };
        example = literalExpression "{ logger = { level = \"Debug\"; }; }";
        description = "What is merged into Firecracker's configuration file.";
      };
      package = mkOption {
        type = types.package;
        default = cfg.vmHostPackages.firecracker;
        defaultText = literalExpression "config.microvm.vmHostPackages.firecracker";
        example = literalExpression "pkgs.firecracker";
        description = "The package that Firecracker is taken from. Where none is given, the program is looked for on the PATH.";
      };
    };
    crosvm = {
      extraArgs = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "--disable-sandbox" ];
        description = "Further arguments for crosvm, each one word.";
      };
      pivotRoot = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "/var/empty";
        description = "The directory that crosvm's sandbox has for a root.";
      };
      package = mkOption {
        type = types.package;
        default = cfg.vmHostPackages.crosvm;
        defaultText = literalExpression "config.microvm.vmHostPackages.crosvm";
        example = literalExpression "pkgs.crosvm";
        description = "The package that crosvm is taken from. Where none is given, the program is looked for on the PATH.";
      };
    };
    kvmtool = {
      package = mkOption {
        type = types.package;
        default = cfg.vmHostPackages.kvmtool;
        defaultText = literalExpression "config.microvm.vmHostPackages.kvmtool";
        example = literalExpression "pkgs.kvmtool";
        description = "The package that kvmtool is taken from. Where none is given, the program is looked for on the PATH.";
      };
    };
    stratovirt = {
      package = mkOption {
        type = types.package;
        default = cfg.vmHostPackages.stratovirt;
        defaultText = literalExpression "config.microvm.vmHostPackages.stratovirt";
        example = literalExpression "pkgs.stratovirt";
        description = "The package that StratoVirt is taken from. Where none is given, the program is looked for on the PATH.";
      };
    };
    alioth = {
      package = mkOption {
        type = types.package;
        default = cfg.vmHostPackages.alioth;
        defaultText = literalExpression "config.microvm.vmHostPackages.alioth";
        example = literalExpression "pkgs.alioth";
        description = "The package that Alioth is taken from. Where none is given, the program is looked for on the PATH.";
      };
    };
    vfkit = {
      extraArgs = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "--restful-uri" "none://" ];
        description = "Further arguments for vfkit, each one word.";
      };
      logLevel = mkOption {
        type = types.nullOr (types.enum [ "debug" "info" "error" ]);
        default = "info";
        example = "debug";
        description = "How much vfkit logs.";
      };
      rosetta = {
        enable = mkOption {
          type = types.bool;
          default = false;
          example = true;
          description = "Whether an ARM guest runs x86-64 programs through Rosetta.";
        };
        install = mkOption {
          type = types.bool;
          default = false;
          example = true;
          description = "Whether a missing Rosetta is installed.";
        };
        ignoreIfMissing = mkOption {
          type = types.bool;
          default = false;
          example = true;
          description = "Whether to go on where Rosetta isn't available.";
        };
      };
      package = mkOption {
        type = types.package;
        default = cfg.vmHostPackages.vfkit;
        defaultText = literalExpression "config.microvm.vmHostPackages.vfkit";
        example = literalExpression "pkgs.vfkit";
        description = "The package that vfkit is taken from. Where none is given, the program is looked for on the PATH.";
      };
    };
    virtiofsd = {
      inodeFileHandles = mkOption {
        type = types.nullOr (types.enum [ "never" "prefer" "mandatory" ]);
        default = "prefer";
        example = "never";
        description = "When virtiofsd refers to files by handle rather than by an open descriptor.";
      };
      threadPoolSize = mkOption {
        type = types.either types.str types.ints.unsigned;
        default = "`nproc`";
        example = 4;
        description = "How many threads virtiofsd has; the command nproc gives as many as the host has CPUs.";
      };
      group = mkOption {
        type = types.nullOr types.str;
        default = "kvm";
        example = "microvm";
        description = "The group that owns virtiofsd's sockets.";
      };
      extraArgs = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "--log-level" "debug" ];
        description = "Further arguments for every virtiofsd, each one word.";
      };
      package = mkOption {
        type = types.package;
        default = cfg.vmHostPackages.virtiofsd;
        defaultText = literalExpression "config.microvm.vmHostPackages.virtiofsd";
        example = literalExpression "pkgs.virtiofsd";
        description = "The package that virtiofsd is taken from. Where none is given, the program is looked for on the PATH.";
      };
    };
    guest = {
      enable = mkOption {
        type = types.bool;
        default = true;
        example = false;
        description = "Whether this configuration is a MicroVM's guest at all.";
      };
    };
    optimize = {
      enable = mkOption {
        type = types.bool;
        default = true;
        example = false;
        description = "Whether to make the guest smaller and quicker to boot: no documentation, systemd in the initrd, networkd without waiting for the network.";
      };
    };
    bootDisk = mkOption {
      type = types.path;
      example = "/nix/store/…-boot.img";
      internal = true;
      description = "The boot image, once built, for hypervisors that load no kernel themselves.";
    };
    registerClosure = mkOption {
      type = types.bool;
      default = true;
      example = false;
      description = "Whether the guest's Nix database knows its store's paths.";
    };
    registerWithMachined = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = "Whether the VM's unit registers it with systemd-machined, for machinectl.";
    };
    systemSymlink = mkOption {
      type = types.bool;
      default = !cfg.storeOnDisk;
      defaultText = literalExpression "!config.microvm.storeOnDisk";
      example = false;
      description = "Whether the runner links to the guest's system, so that `microvm list` can compare versions.";
    };
    storeDiskType = mkOption {
      type = types.enum [ "squashfs" "erofs" ];
      default = "erofs";
      example = "squashfs";
      description = "The file system of the store's image.";
    };
    storeDiskErofsFlags = mkOption {
      type = types.listOf types.str;
      default = [ "-zlz4hc" ];
      example = [ "-zlz4hc" "-Ededupe" ];
      description = "Flags for mkfs.erofs.";
    };
    storeDiskSquashfsFlags = mkOption {
      type = types.listOf types.str;
      default = [ "-c" "zstd" "-j" "$NIX_BUILD_CORES" ];
      example = [ "-c" "lz4" ];
      description = "Flags for gensquashfs.";
    };
    writableStoreOverlay = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "/nix/.rw-store";
      description = "Where the writable layer over /nix/store is; null: the store is read-only.";
    };
  };
}
