# `lib.attrsets`: what is done with attribute sets.
lib:
let
  inherit (builtins) all attrNames attrValues concatMap elem filter foldl' head isAttrs isString length listToAttrs mapAttrs tail;

  # Updates that begin with the same name go together; one whose path has ended changes what the others have made.
  update = depth: updates: present: value:
    let
      split = builtins.partition (u: length u.path == depth) updates;
      below = builtins.groupBy (u: builtins.elemAt u.path depth) split.wrong;
      set = if present then value else { };
      changed = if split.wrong == [ ] then value
        else if present && !isAttrs value then throw "lib.attrsets.updateManyAttrsByPath: there is no set at ${lib.showAttrPath (lib.take depth (head split.wrong).path)}"
        else set // mapAttrs (name: us: update (depth + 1) us (set ? ${name}) (set.${name} or null)) below;
      there = present || split.wrong != [ ];
    in
    if split.right == [ ] then changed
    else
      let
        missing = throw "lib.attrsets.updateManyAttrsByPath: there is nothing at ${lib.showAttrPath (head split.right).path}";
      in
      foldl' (old: u: u.update old) (if there then changed else missing) split.right;

  output = name: package: if isAttrs package && !(package.outputSpecified or false) then package.${name} or package.out or package else package;
in
{
  inherit (builtins) attrNames attrValues catAttrs getAttr hasAttr intersectAttrs isAttrs listToAttrs mapAttrs removeAttrs zipAttrsWith;

  # By a path of names
  attrByPath = path: otherwise: set:
    if path == [ ] then set else if isAttrs set && set ? ${head path} then lib.attrByPath (tail path) otherwise set.${head path} else otherwise;
  hasAttrByPath = path: set: path == [ ] || (isAttrs set && set ? ${head path} && lib.hasAttrByPath (tail path) set.${head path});
  longestValidPathPrefix = path: set:
    if path != [ ] && isAttrs set && set ? ${head path} then [ (head path) ] ++ lib.attrsets.longestValidPathPrefix (tail path) set.${head path} else [ ];
  getAttrFromPath = path: set: lib.attrByPath path (throw "there is no attribute '${lib.concatStringsSep "." path}'") set;
  setAttrByPath = path: value: if path == [ ] then value else { ${head path} = lib.setAttrByPath (tail path) value; };
  updateManyAttrsByPath = updates: update 0 updates true;
  showAttrPath = path: if path == [ ] then "<root attribute path>" else lib.concatMapStringsSep "." lib.strings.escapeNixIdentifier path;

  # Made from lists
  nameValuePair = name: value: { inherit name value; };
  genAttrs = names: f: listToAttrs (map (name: { inherit name; value = f name; }) names);
  genAttrs' = list: f: listToAttrs (map f list);
  cartesianProduct = sets: foldl' (all: name: concatMap (one: map (value: one // { ${name} = value; }) sets.${name}) all) [ { } ] (attrNames sets);
  mapCartesianProduct = f: sets: map f (lib.cartesianProduct sets);
  cartesianProductOfSets = lib.cartesianProduct;

  # Made into lists
  attrVals = names: set: map (name: set.${name}) names;
  mapAttrsToList = f: set: map (name: f name set.${name}) (attrNames set);
  attrsToList = lib.mapAttrsToList lib.nameValuePair;
  collect = test: set: if test set then [ set ] else if isAttrs set then concatMap (lib.collect test) (attrValues set) else [ ];
  mapAttrsToListRecursive = lib.mapAttrsToListRecursiveCond (_: _: true);
  mapAttrsToListRecursiveCond = test: f:
    let
      walk = path: set: concatMap
        (name:
          let here = path ++ [ name ]; value = set.${name}; in
          if isAttrs value && test here value then walk here value else [ (f here value) ])
        (attrNames set);
    in
    walk [ ];

  # Chosen and changed
  getAttrs = names: set: lib.genAttrs names (name: set.${name});
  filterAttrs = test: set: removeAttrs set (filter (name: !test name set.${name}) (attrNames set));
  filterAttrsRecursive = test: set: listToAttrs (concatMap
    (name:
      let value = set.${name}; in
      if test name value then [ { inherit name; value = if isAttrs value then lib.filterAttrsRecursive test value else value; } ] else [ ])
    (attrNames set));
  mapAttrs' = f: set: listToAttrs (map (name: f name set.${name}) (attrNames set));
  concatMapAttrs = f: set: lib.mergeAttrsList (map (name: f name set.${name}) (attrNames set));
  mapAttrsRecursive = lib.mapAttrsRecursiveCond (_: true);
  mapAttrsRecursiveCond = test: f:
    let walk = path: mapAttrs (name: value: if isAttrs value && test value then walk (path ++ [ name ]) value else f (path ++ [ name ]) value); in
    walk [ ];
  optionalAttrs = condition: set: if condition then set else { };
  overrideExisting = old: new: mapAttrs (name: value: new.${name} or value) old;
  invertAttrs = set: listToAttrs (map (name: { name = set.${name}; value = name; }) (attrNames set));

  # Folded
  foldlAttrs = f: start: set: foldl' (value: name: f value name set.${name}) start (attrNames set);
  foldAttrs = f: start: sets: mapAttrs (_: lib.foldr f start) (lib.zipAttrs sets);

  # Several into one
  mergeAttrsList = foldl' (a: b: a // b) { };
  zipAttrsWithNames = names: f: sets: lib.genAttrs names (name: f name (builtins.catAttrs name sets));
  zipAttrs = builtins.zipAttrsWith (_: values: values);
  recursiveUpdate = lib.recursiveUpdateUntil (_: a: b: !(isAttrs a && isAttrs b));
  recursiveUpdateUntil = stop:
    let join = path: a: b: a // mapAttrs (name: value: let here = path ++ [ name ]; in if a ? ${name} && !stop here a.${name} value then join here a.${name} value else value) b; in
    join [ ];
  unionOfDisjoint = a: b:
    let both = builtins.intersectAttrs a b; in
    a // b // mapAttrs (name: _: throw "lib.attrsets.unionOfDisjoint: both sets have '${name}'") both;
  matchAttrs = pattern: set: isAttrs pattern && isAttrs set && all
    (name: set ? ${name} && (if isAttrs pattern.${name} then lib.matchAttrs pattern.${name} set.${name} else pattern.${name} == set.${name}))
    (attrNames pattern);

  # Packages
  isDerivation = x: isAttrs x && (x.type or null) == "derivation";
  toDerivation = path:
    let name = lib.strings.sanitizeDerivationName (builtins.substring 33 (-1) (baseNameOf path)); in
    { type = "derivation"; inherit name; outPath = builtins.storePath path; outputs = [ "out" ]; out = lib.toDerivation path; outputName = "out"; };
  getOutput = output;
  getFirstOutput = names: package:
    let found = filter (name: package ? ${name}) names; in
    if found == [ ] then package else output (head found) package;
  getBin = output "bin";
  getLib = lib.getFirstOutput' [ "lib" ];
  getStatic = lib.getFirstOutput' [ "static" "lib" "out" ];
  getDev = output "dev";
  getInclude = lib.getFirstOutput' [ "include" "dev" "out" ];
  getMan = lib.getFirstOutput' [ "man" "out" ];
  getFirstOutput' = names: package: if isAttrs package && !(package.outputSpecified or false) then lib.getFirstOutput names package else package;
  chooseDevOutputs = map (output "dev");
  recurseIntoAttrs = set: set // { recurseForDerivations = true; };
  dontRecurseIntoAttrs = set: set // { recurseForDerivations = false; };
}
