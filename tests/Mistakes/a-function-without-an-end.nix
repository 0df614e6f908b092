let
  next = n: next (n + 1);
in
{ microvm.vcpu = next 1; }
