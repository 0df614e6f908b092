# `lib.meta` and what else is said about packages.
lib:
{
  # A host that isn't NixOS keeps some programs in sbin; a package of the stand-in knows where.
  getExe' = package: name: if builtins.isAttrs package && package ? programPath then package.programPath name else "${lib.getBin package}/bin/${name}";
  getExe = package: lib.getExe' package (package.meta.mainProgram or package.pname or package.name);
  addMetaAttrs = more: package: package // { meta = package.meta or { } // more; };
  setName = name: package: package // { inherit name; };
  setPrio = priority: lib.addMetaAttrs { inherit priority; };
  lowPrio = lib.setPrio 10;
  hiPrio = lib.setPrio (-10);
  dontDistribute = lib.addMetaAttrs { hydraPlatforms = [ ]; };
  optionalDrvAttr = condition: value: if condition then value else null;
  licenses = lib.genAttrs [ "mit" "asl20" "gpl2Only" "gpl3Only" "eupl12" "bsd3" ] (shortName: { inherit shortName; });
  platforms = { linux = [ "x86_64-linux" "aarch64-linux" ]; all = [ "x86_64-linux" "aarch64-linux" ]; };
  maintainers = { };
}
