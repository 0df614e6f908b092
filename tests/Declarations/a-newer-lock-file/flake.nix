{ outputs = { self }: { nixosConfigurations.web.config.microvm.interfaces = [ ]; }; }
