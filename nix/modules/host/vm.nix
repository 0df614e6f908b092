# What the host's configuration adds for one VM that is built with it: its installation, and drop-ins for the templates.
{ cfg, lib, name, group, templates, guest }:
let
  vm = cfg.vms.${name};
  directory = "${cfg.stateDir}/${name}";
  steering = "${cfg.stateDir}/.host/${name}";
  isFlake = vm.flake != null;
  quoted = lib.escapeShellArg;
  dropIn = more: { overrideStrategy = "asDropin"; path = lib.mkForce [ ]; serviceConfig.X-RestartIfChanged = [ "" vm.restartIfChanged ]; } // more;
  # The VM's units beside its own.
  services = map (lib.replaceStrings [ "@.service" ] [ "@${name}" ]) (builtins.filter (unit: unit != "microvm@.service" && unit != "microvm-network@.service") (builtins.attrNames templates.units));
  # A change of the host never takes interfaces from a VM that runs.
  outlasting = map (kind: "microvm-${kind}@${name}") [ "interfaces" "set-booted" ];
  # What the hardened unit makes an exception for.
  has = type: builtins.any (interface: interface.type == type) (guest.microvm.interfaces or [ ]);
  ownUser = builtins.elem (guest.microvm.hypervisor or "qemu") [ "qemu" "kvmtool" "vfkit" ];
  isCrosvm = (guest.microvm.hypervisor or "qemu") == "crosvm";
  exceptions = lib.optionalAttrs (has "user" && !ownUser) (templates.dropIn "user-network")
    // lib.optionalAttrs (has "bridge" && !isCrosvm) (templates.dropIn "bridge-helper")
    # The namespaces of its sandbox include those of a user network.
    // lib.optionalAttrs isCrosvm (templates.dropIn "own-sandbox");
in
{
  "install-microvm-${name}" = {
    description = "Install MicroVM '${name}'";
    before = map (service: "${service}.service") (services ++ [ "microvm@${name}" ]);
    after = [ "microvm-move.service" ];
    wants = [ "microvm-move.service" ];
    partOf = [ "microvm@${name}.service" ];
    wantedBy = [ "microvms.target" ];
    # With a flake to update from, only the first installation is the host's.
    unitConfig = lib.optionalAttrs (isFlake && vm.updateFlake != null) { ConditionPathExists = "!${steering}"; };
    serviceConfig.Type = "oneshot";
    serviceConfig.SyslogIdentifier = "install-microvm-${name}";
    script = ''
      # What steers the VM is root's alone; beside it the hypervisor makes sockets and disks, and nothing of ours is read there.
      install -d -m 755 -o root -g root ${quoted "${cfg.stateDir}/.host"} ${quoted steering}
      install -d -m 1775 -o root -g ${group} ${quoted directory}
      ln -sfT ${guest.microvm.declaredRunner} ${quoted directory}/current || true
      cd ${quoted steering}
      ln -sfT ${guest.microvm.declaredRunner} current
    '' + (if isFlake then ''
      printf '%s\n' ${quoted (toString (if vm.updateFlake != null then vm.updateFlake else vm.flake))} > flake
    '' else ''
      # Names the guest's system, so that this unit changes when the guest does.
      ln -sfT ${guest.system.build.toplevel} toplevel
    '');
  };
  "microvm@${name}" = lib.recursiveUpdate (dropIn { restartTriggers = [ guest.system.build.toplevel ]; }) { serviceConfig = exceptions; };
} // lib.genAttrs (lib.filter (service: !builtins.elem service outlasting) services) (_: dropIn { })
