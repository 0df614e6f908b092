{ config, ... }:
{
  microvm.vcpu = config.microvm.mem;
  microvm.mem = config.microvm.vcpu;
}
