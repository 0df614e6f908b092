# `lib.filesystem` and `lib.sources`: what stands in folders. Nothing is copied: a source is the folder itself.
lib:
let
  inherit (builtins) attrNames concatMap filter listToAttrs pathExists readDir;

  kind = path:
    if !pathExists path then throw "lib.filesystem.pathType: there is no ${toString path}"
    else if builtins ? readFileType then builtins.readFileType path
    else if baseNameOf path == "" then "directory"
    else (readDir (dirOf path)).${baseNameOf path};
in
rec {
  filesystem = {
    inherit (builtins) baseNameOf dirOf hashFile isPath pathExists readDir readFile;
    readFileType = kind;
    pathType = kind;
    pathIsDirectory = path: pathExists path && kind path == "directory";
    pathIsRegularFile = path: pathExists path && kind path == "regular";
    listFilesRecursive = folder: concatMap
      (name: let path = folder + "/${name}"; in if (readDir folder).${name} == "directory" then filesystem.listFilesRecursive path else [ path ])
      (attrNames (readDir folder));
    haskellPathsInDir = root: listToAttrs (concatMap
      (name:
        let path = root + "/${name}"; stem = builtins.match "(.*)[.]cabal" name; in
        if (readDir root).${name} == "directory" && pathExists (path + "/${name}.cabal") then [ { inherit name; value = path; } ]
        else if stem != null && (readDir root).${name} == "regular" then [ { name = builtins.head stem; value = root; } ]
        else [ ])
      (attrNames (readDir root)));
    locateDominatingFile = pattern: start:
      let
        search = folder:
          let matches = filter (m: m != null) (map (builtins.match pattern) (attrNames (readDir folder))); in
          if matches != [ ] then { path = folder; inherit matches; }
          else if toString folder == "/" then null
          else search (dirOf folder);
      in
      search (if filesystem.pathIsDirectory start then start else dirOf start);
    packagesFromDirectoryRecursive = { callPackage, directory, newScope ? _: throw "lib.packagesFromDirectoryRecursive: newScope is not given", recurseIntoDirectory ? null, ... }@given:
      let
        entries = readDir directory;
        own = directory + "/package.nix";
        below = name: filesystem.packagesFromDirectoryRecursive (given // { directory = directory + "/${name}"; });
        members = listToAttrs (concatMap
          (name:
            if entries.${name} == "directory" then [ { inherit name; value = below name; } ]
            else if entries.${name} == "regular" && lib.hasSuffix ".nix" name then [ { name = lib.removeSuffix ".nix" name; value = callPackage (directory + "/${name}") { }; } ]
            else [ ])
          (attrNames entries));
      in
      if pathExists own then callPackage own { } else members;
    resolveDefaultNix = path:
      if filesystem.pathIsDirectory path || (builtins.isString path && lib.hasSuffix "/" path) then (if builtins.isString path then lib.removeSuffix "/" path else path) + "/default.nix" else path;
  };

  sources = {
    cleanSource = source: source;
    cleanSourceWith = { src, ... }: src;
    cleanSourceFilter = name: type:
      let base = baseNameOf (toString name); in
      !((type == "directory" && builtins.elem base [ ".git" ".svn" "CVS" ".hg" ".jj" ".pijul" "_darcs" ])
        || lib.hasSuffix "~" base || builtins.match "[.]sw[a-z]|[.].*[.]sw[a-z]" base != null
        || (type == "symlink" && lib.hasPrefix "result" base) || type == "unknown" || lib.hasSuffix ".o" base || lib.hasSuffix ".so" base);
    sourceByRegex = source: _: source;
    sourceFilesBySuffices = source: _: source;
    pathIsGitRepo = path: pathExists (path + "/.git");
    pathHasContext = builtins.hasContext or (_: false);
    canCleanSource = source: source ? _isLibCleanSourceWith || !(builtins.hasContext (toString source));
  };
}
