# `lib.versions`: parts of version numbers.
lib:
let
  part = n: version: builtins.elemAt (builtins.splitVersion version) n;
in
{
  inherit (builtins) compareVersions splitVersion;
  major = part 0;
  minor = part 1;
  patch = part 2;
  majorMinor = version: lib.concatStringsSep "." (lib.take 2 (builtins.splitVersion version));
  pad = n: version:
    let
      found = builtins.match "([^-]*)(-.*)?" version;
      numbers = lib.take n (lib.splitString "." (builtins.head found));
      suffix = builtins.elemAt found 1;
    in
    lib.concatStringsSep "." (numbers ++ lib.replicate (n - builtins.length numbers) "0") + (if suffix == null then "" else suffix);
}
