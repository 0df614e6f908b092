# What a tree of options says, as a declaration in JSON: an attribute set without nulls that nobody wrote and without the
# defaults that our binary has too. A computed default is said, because only NixOS can tell it.
#
# names: the options to look at, as nix/modules/microvm/table.nix has them. options: the tree, evaluated.
let
  inherit (builtins) attrNames concatMap filter intersectAttrs isAttrs isList isPath listToAttrs map;
  # A value as JSON has it: what is null inside of it was not said, and a package is its path.
  plain = v:
    if isAttrs v && v ? outPath then "${v}"
    else if isAttrs v then listToAttrs (map (name: { inherit name; value = plain v.${name}; }) (filter (name: v.${name} != null) (attrNames v)))
    else if isList v then map plain v
    else if isPath v then toString v
    else v;
  # Null that somebody wrote has a stronger priority than a default, and may be a choice of its own.
  isSaid = o: o.isDefined && (if o.value == null then o.highestPrio < 1500 else !(o ? default) || o ? defaultText || o.value != o.default);
  member = names: options: name:
    let o = options.${name}; inner = declared names.${name} o; in
    if names.${name} == null then (if isSaid o then [ { inherit name; value = plain o.value; } ] else [ ])
    else if inner == { } then [ ] else [ { inherit name; value = inner; } ];
  declared = names: options: listToAttrs (concatMap (member names options) (attrNames (intersectAttrs names options)));
in
declared
