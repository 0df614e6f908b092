{
  # A finished configuration takes arguments where it can be extended, as those of nixpkgs can.
  outputs = { self }:
    let
      system = { tap ? "vm-untold", ... }: {
        config = {
          networking.hostName = "web";
          microvm = { hypervisor = "qemu"; interfaces = [ { type = "tap"; id = tap; mac = "02:00:00:00:00:01"; } ]; };
        };
        extendModules = { specialArgs ? { }, ... }: system specialArgs;
      };
    in
    {
      nixosConfigurations.web = system { };
      nixosConfigurations.closed = removeAttrs (system { }) [ "extendModules" ];
    };
}
