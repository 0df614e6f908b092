{ config, ... }:
{
  microvm.interfaces = map (i: i // { mac = "02:00:00:00:00:01"; }) config.microvm.interfaces;
}
