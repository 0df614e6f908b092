# What the host's configuration adds for one VM that is built with it: its installation, and drop-ins for the templates.
{ cfg, lib, name, user, group, guest }:
let
  vm = cfg.vms.${name};
  directory = "${cfg.stateDir}/${name}";
  isFlake = vm.flake != null;
  quoted = lib.escapeShellArg;
  dropIn = more: { overrideStrategy = "asDropin"; path = lib.mkForce [ ]; serviceConfig.X-RestartIfChanged = [ "" vm.restartIfChanged ]; } // more;
  services = map (kind: "microvm-${kind}@${name}") [ "tap-interfaces" "macvtap-interfaces" "pci-devices" "virtiofsd" ];
in
{
  "install-microvm-${name}" = {
    description = "Install MicroVM '${name}'";
    before = map (service: "${service}.service") (services ++ [ "microvm-set-booted@${name}" "microvm@${name}" ]);
    partOf = [ "microvm@${name}.service" ];
    wantedBy = [ "microvms.target" ];
    # With a flake to update from, only the first installation is the host's.
    unitConfig = lib.optionalAttrs (isFlake && vm.updateFlake != null) { ConditionPathExists = "!${directory}"; };
    serviceConfig.Type = "oneshot";
    serviceConfig.SyslogIdentifier = "install-microvm-${name}";
    script = ''
      mkdir -p ${quoted directory}
      cd ${quoted directory}
      ln -sfT ${guest.microvm.declaredRunner} current
      chown -h ${user}:${group} . current
    '' + (if isFlake then ''
      printf '%s\n' ${quoted (toString (if vm.updateFlake != null then vm.updateFlake else vm.flake))} > flake
      chown -h ${user}:${group} flake
    '' else ''
      # Names the guest's system, so that this unit changes when the guest does.
      ln -sfT ${guest.system.build.toplevel} toplevel
    '');
  };
  "microvm@${name}" = dropIn { restartTriggers = [ guest.system.build.toplevel ]; };
} // lib.genAttrs services (_: dropIn { })
