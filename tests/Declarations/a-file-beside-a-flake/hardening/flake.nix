{ outputs = { self }: { nixosModules.default = { microvm.vcpu = 2; }; }; }
