{
  outputs = { self }: {
    nixosModules.one = { microvm.interfaces = [ ]; };
    nixosConfigurations.two.config.microvm.interfaces = [ ];
  };
}
