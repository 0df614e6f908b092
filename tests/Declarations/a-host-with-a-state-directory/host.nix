{ microvm.host.enable = true; microvm.stateDir = "/srv/vms"; microvm.host.startupTimeout = 30; }
