{ microvm.vms.web.config = import ./vm.nix { hostName = "web"; mac = "02:00:00:00:00:01"; }; }
