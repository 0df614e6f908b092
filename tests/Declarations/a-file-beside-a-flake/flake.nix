{
  inputs.hardening.url = "path:./hardening";
  inputs.secrets.url = "github:example/secrets";
  outputs = { self, hardening, secrets }: {
    label = "a1";
    nixosModules.guest = ./guest.nix;
  };
}
