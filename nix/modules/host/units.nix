# The template units; %i is the VM's name.
{ cfg, lib, pkgs, user, group }:
let
  current = "${cfg.stateDir}/%i/current/bin";
  booted = "${cfg.stateDir}/%i/booted/bin";
  unit = name: more: lib.recursiveUpdate {
    partOf = [ "microvm@%i.service" ];
    before = [ "microvm@%i.service" ];
    restartIfChanged = false;
    serviceConfig.SyslogIdentifier = "${name}@%i";
  } more;
  once = { Type = "oneshot"; RemainAfterExit = true; };
  # Makes links and nothing else.
  confined = {
    CapabilityBoundingSet = [ "CAP_NET_ADMIN" "CAP_CHOWN" "CAP_FOWNER" "CAP_DAC_OVERRIDE" "CAP_SYS_ADMIN" "CAP_MKNOD" ];
    LockPersonality = true;
    MemoryDenyWriteExecute = true;
    NoNewPrivileges = true;
    PrivateTmp = true;
    ProtectClock = true;
    ProtectControlGroups = true;
    ProtectHome = true;
    ProtectHostname = true;
    ProtectKernelLogs = true;
    ProtectKernelModules = true;
    ProtectSystem = "strict";
    RestrictAddressFamilies = [ "AF_NETLINK" "AF_UNIX" "AF_INET" "AF_INET6" ];
    RestrictRealtime = true;
    RestrictSUIDSGID = true;
    SystemCallArchitectures = "native";
    UMask = "0077";
  };
  links = kind: unit "microvm-${kind}-interfaces" {
    description = "The ${kind} interfaces of MicroVM '%i'";
    after = [ "network.target" "microvm-set-booted@%i.service" ];
    unitConfig.ConditionPathExists = "${current}/${kind}-up";
    serviceConfig = once // confined // { ExecStart = "${current}/${kind}-up"; ExecStop = "${booted}/${kind}-down"; };
  };
  helpers = map (kind: "microvm-${kind}@%i.service") [ "tap-interfaces" "macvtap-interfaces" "pci-devices" "virtiofsd" "set-booted" ];
in
{
  "microvm-tap-interfaces@" = links "tap";
  "microvm-macvtap-interfaces@" = links "macvtap";

  "microvm-pci-devices@" = unit "microvm-pci-devices" {
    description = "The passed-through devices of MicroVM '%i'";
    unitConfig.ConditionPathExists = "${current}/pci-setup";
    serviceConfig = once // { ExecStart = "${current}/pci-setup"; };
  };

  "microvm-virtiofsd@" = unit "microvm-virtiofsd" {
    description = "The shares of MicroVM '%i'";
    after = [ "local-fs.target" "microvm-set-booted@%i.service" ];
    unitConfig.ConditionPathExists = "${current}/virtiofsd-run";
    serviceConfig = {
      Type = "notify";
      NotifyAccess = "all";
      WorkingDirectory = "${cfg.stateDir}/%i";
      ExecStart = "${current}/virtiofsd-run";
      Restart = "always";
      RestartSec = "5s";
      KillMode = "mixed";
      LimitNOFILE = 1048576;
      PrivateTmp = true;
    };
  };

  # What the VM was started with, so that its interfaces are taken down by the same declaration that made them.
  "microvm-set-booted@" = unit "microvm-set-booted" {
    description = "The declaration that MicroVM '%i' runs with";
    serviceConfig = once // {
      User = user;
      Group = group;
      WorkingDirectory = "${cfg.stateDir}/%i";
      ExecStart = "${lib.getExe' pkgs.coreutils "cp"} --no-dereference --force --no-target-directory current booted";
      ExecStop = "${lib.getExe' pkgs.coreutils "rm"} -f booted";
    };
  };

  "microvm@" = {
    description = "MicroVM '%i'";
    requires = helpers;
    after = [ "network.target" "systemd-modules-load.service" ] ++ helpers;
    unitConfig.ConditionPathExists = "${current}/microvm-run";
    restartIfChanged = false;
    serviceConfig = {
      Type = if cfg.host.useNotifySockets then "notify" else "simple";
      NotifyAccess = "all";
      User = user;
      Group = group;
      WorkingDirectory = "${cfg.stateDir}/%i";
      ExecStart = "${current}/microvm-run";
      ExecStop = "${booted}/microvm-shutdown";
      TimeoutSec = cfg.host.startupTimeout;
      Restart = "always";
      RestartSec = "5s";
      LimitNOFILE = 1048576;
      LimitMEMLOCK = "infinity";
      SyslogIdentifier = "microvm@%i";
    };
  };
}
