# A stand-in for nixpkgs' `pkgs`. Nothing is built here: a package means the programs that the host has.
lib:
let
  # NixOS keeps its programs in one place; elsewhere they are split over bin and sbin.
  nixos = builtins.pathExists "/run/current-system/sw/bin";
  prefix = if nixos then "/run/current-system/sw" else "/usr";
  program = name:
    if !nixos && !builtins.pathExists "/usr/bin/${name}" && builtins.pathExists "/usr/sbin/${name}" then "/usr/sbin/${name}" else "${prefix}/bin/${name}";

  package = name: mainProgram: {
    type = "derivation";
    inherit name;
    pname = name;
    version = "host";
    outPath = prefix;
    programPath = program;
    meta = { inherit mainProgram; };
    passthru = { };
    override = _: package name mainProgram;
    overrideAttrs = _: package name mainProgram;
  };
  named = lib.mapAttrs package {
    iproute2 = "ip"; iptables = "iptables"; nftables = "nft"; ethtool = "ethtool"; bridge-utils = "brctl"; iw = "iw"; tcpdump = "tcpdump";
    openvswitch = "ovs-vsctl"; wireguard-tools = "wg"; dnsmasq = "dnsmasq"; slirp4netns = "slirp4netns"; passt = "passt"; socat = "socat";
    coreutils-full = "ls"; coreutils = "ls"; bashInteractive = "bash"; bash = "bash"; runtimeShellPackage = "bash"; gnugrep = "grep"; gnused = "sed";
    gawk = "awk"; findutils = "find"; util-linux = "mount"; procps = "ps"; psmisc = "killall"; kmod = "modprobe"; systemd = "systemctl"; jq = "jq";
    curl = "curl"; wget = "wget"; openssh = "ssh"; rsync = "rsync"; gnutar = "tar"; gzip = "gzip"; xz = "xz"; zstd = "zstd"; e2fsprogs = "mkfs.ext4";
    btrfs-progs = "btrfs"; xfsprogs = "mkfs.xfs"; dosfstools = "mkfs.vfat"; cryptsetup = "cryptsetup"; lvm2 = "lvm"; zfs = "zfs"; git = "git";
    python3 = "python3"; perl = "perl"; nix = "nix"; sudo = "sudo"; shadow = "su"; getent = "getent"; hostname = "hostname"; inetutils = "ping"; iputils = "ping";
    qemu = "qemu-system-x86_64"; qemu_kvm = "qemu-system-x86_64"; qemu-utils = "qemu-img"; cloud-hypervisor = "cloud-hypervisor";
    cloud-hypervisor-graphics = "cloud-hypervisor"; firecracker = "firecracker"; crosvm = "crosvm"; kvmtool = "lkvm"; stratovirt = "stratovirt";
    alioth = "alioth"; vfkit = "vfkit"; virtiofsd = "virtiofsd"; htop = "htop"; vim = "vim"; nano = "nano"; tmux = "tmux"; hello = "hello";
  };
  unbuilt = what: throw "pkgs.${what} builds something, and microvm only evaluates; write the text itself into the option, or build with a flake";
in
named // lib.genAttrs [ "writeShellScript" "writeShellScriptBin" "writeShellApplication" "writeScript" "writeScriptBin" "writeText" "writeTextFile" "writeTextDir" "runCommand" "runCommandLocal" "buildEnv" "symlinkJoin" "fetchurl" "fetchgit" "fetchFromGitHub" "fetchzip" "callPackage" "nixos" ] unbuilt
// {
  inherit lib;
  _type = "pkgs";
  path = "/nixpkgs-is-not-here";
  system = builtins.currentSystem;
  config = { };
  runtimeShell = "${prefix}/bin/bash";
  stdenv = {
    isLinux = true;
    isDarwin = false;
    hostPlatform = {
      system = builtins.currentSystem;
      isLinux = true;
      isDarwin = false;
      isx86_64 = lib.hasPrefix "x86_64" builtins.currentSystem;
      isAarch64 = lib.hasPrefix "aarch64" builtins.currentSystem;
    };
  };
  linuxPackages = { kernel = package "linux" "vmlinux"; };
  linuxPackages_latest = { kernel = package "linux" "vmlinux"; };
}
