# The definitions of microvm.binScripts, piece by piece: { NAME = { replaces; parts = [ { order; text; } ]; }; }. A script's
# text alone would have lost where lib.mkBefore and lib.mkAfter put each piece, and our own part goes between them.
let
  inherit (builtins) attrNames concatMap filter foldl' isAttrs listToAttrs sort;
  piece = value: { inherit value; priority = 100; order = 1000; };
  peel = d:
    let kind = if isAttrs d.value then d.value._type or "" else ""; in
    if kind == "if" then (if d.value.condition then peel (d // { value = d.value.content; }) else [ ])
    else if kind == "merge" then concatMap (value: peel (d // { inherit value; })) d.value.contents
    else if kind == "override" then peel (d // { value = d.value.content; inherit (d.value) priority; })
    else if kind == "order" then peel (d // { value = d.value.content; order = d.value.priority; })
    else [ d ];
in
# definitions: those of the option, as `options.microvm.binScripts.definitions` has them.
definitions:
let
  sets = concatMap (value: peel (piece value)) definitions;
  names = attrNames (foldl' (all: d: all // d.value) { } sets);
  script = name:
    let
      # What is said around a whole set holds for each of its scripts.
      pieces = concatMap (d: if d.value ? ${name} then peel (d // { value = d.value.${name}; }) else [ ]) sets;
      strongest = foldl' (least: d: if d.priority < least then d.priority else least) 10000 pieces;
      kept = filter (d: d.priority == strongest) pieces;
    in
    {
      inherit name;
      value = {
        replaces = strongest < 100;
        parts = map (d: { inherit (d) order; text = d.value; }) (sort (a: b: a.order < b.order) kept);
      };
    };
in
listToAttrs (filter (s: s.value.parts != [ ]) (map script names))
