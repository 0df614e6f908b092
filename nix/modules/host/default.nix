# A NixOS host that runs MicroVMs: user, units, bridge helper. On other systems `microvm host install` does the same.
{ config, lib, pkgs, ... }:
let
  cfg = config.microvm;
  user = "microvm";
  group = "kvm";
  names = builtins.attrNames cfg.vms;
  templates = import ./units.nix { inherit cfg lib; };
  guestOf = name:
    let vm = cfg.vms.${name}; in
    if vm.flake != null then vm.flake.nixosConfigurations.${name}.config
    else if vm.evaluatedConfig != null then vm.evaluatedConfig.config
    else vm.config.config;
in
{
  imports = [ ./options.nix ];

  config = lib.mkIf cfg.host.enable {
    assertions = map
      (name: {
        assertion = cfg.vms.${name}.config == null || (cfg.vms.${name}.flake == null && cfg.vms.${name}.updateFlake == null);
        message = "microvm.vms.${name} has both 'config' and a flake; keep one of them";
      })
      names;

    boot.kernelModules = [ "tap" "macvtap" "vhost_net" ];
    users.users.${user} = { isSystemUser = true; inherit group; };
    systemd.tmpfiles.settings."10-microvm".${cfg.stateDir}.d = { user = "root"; inherit group; mode = "2755"; };
    # Nodes of macvtaps whose number another network namespace has taken.
    systemd.tmpfiles.settings."10-microvm"."/run/microvm".d = { user = "root"; group = "root"; mode = "0755"; };
    # Declared networks: their firewall rules, and DHCP and DNS, which run as a user of their own.
    environment.systemPackages = [ cfg.host.package pkgs.nftables pkgs.dnsmasq ];
    users.users.dnsmasq = { isSystemUser = true; group = "dnsmasq"; };
    users.groups.dnsmasq = { };
    # A VM with devices passed through locks all its memory.
    security.pam.loginLimits = map (type: { domain = user; item = "memlock"; inherit type; value = "infinity"; }) [ "soft" "hard" ];

    # Type "bridge": QEMU asks this program, which may do the one thing, and only to these bridges.
    security.wrappers.qemu-bridge-helper = lib.mkIf (!(config.virtualisation.libvirtd.enable or false)) {
      source = "${pkgs.qemu-utils}/libexec/qemu-bridge-helper";
      owner = "root";
      group = "root";
      capabilities = "cap_net_admin+ep";
    };
    environment.etc."qemu/bridge.conf".text = lib.mkDefault (lib.concatMapStrings (bridge: "allow ${bridge}\n") cfg.host.bridges);

    microvm.autostart = builtins.filter (name: cfg.vms.${name}.autostart) names;
    systemd.targets.microvms = {
      description = "All MicroVMs of this host";
      wantedBy = [ "multi-user.target" ];
      wants = map (name: "microvm@${name}.service") cfg.autostart;
    };

    systemd.units = templates.units;
    systemd.services = lib.mkMerge ([{
      # VMs that an earlier version installed: what steers them goes to where only root writes. Those that run go on.
      microvm-move = {
        description = "Move what steers MicroVMs to where only root writes";
        wantedBy = [ "microvms.target" ];
        serviceConfig.Type = "oneshot";
        script = "${lib.getExe cfg.host.package} host move --state-dir ${lib.escapeShellArg cfg.stateDir} || true";
      };
    }] ++ map (name: import ./vm.nix { inherit cfg lib name group templates; guest = guestOf name; }) names);
  };
}
