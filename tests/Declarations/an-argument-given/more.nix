{ hostName, cpus, ... }: { networking.hostName = hostName; microvm.vcpu = cpus; }
