{ inputs, self, ... }:
{
  imports = [ inputs.hardening.nixosModules.default inputs.secrets.nixosModules.secrets ];
  microvm.interfaces = [ { type = "tap"; id = "vm-${self.label}"; mac = "02:00:00:00:00:01"; } ];
}
