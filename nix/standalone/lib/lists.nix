# `lib.lists`: what is done with lists.
lib:
let
  inherit (builtins) all attrNames concatMap elem elemAt filter foldl' genList head isInt isList length sort split tail;

  atLeastNone = n: if n < 0 then 0 else n;
  # The first index at which a test holds, or null.
  indexOf = test: list:
    let
      end = length list;
      from = i: if i == end then null else if test (elemAt list i) then i else from (i + 1);
    in
    from 0;

  # A text in pieces that compare as people read it: runs of digits as numbers.
  pieces = text: map (piece: if isList piece then lib.toIntBase10 (head piece) else piece) (split "([0-9]+)" text);
in
{
  inherit (builtins) all any concatLists concatMap elem elemAt filter foldl' genList groupBy head isList length map partition sort tail;

  singleton = x: [ x ];
  forEach = list: f: map f list;
  toList = x: if isList x then x else [ x ];
  optional = condition: value: if condition then [ value ] else [ ];
  optionals = condition: values: if condition then values else [ ];
  range = first: last: if first > last then [ ] else genList (i: first + i) (last - first + 1);
  replicate = n: x: genList (_: x) n;
  concatAttrValues = set: concatMap (name: set.${name}) (attrNames set);

  foldl = f: start: list:
    let upTo = n: if n == 0 then start else f (upTo (n - 1)) (elemAt list (n - 1)); in
    upTo (length list);
  foldr = f: end: list:
    let
      count = length list;
      from = i: if i == count then end else f (elemAt list i) (from (i + 1));
    in
    from 0;
  fold = lib.foldr;
  groupBy' = f: start: key: list: builtins.mapAttrs (_: foldl' f start) (builtins.groupBy key list);

  imap0 = f: list: genList (i: f i (elemAt list i)) (length list);
  imap1 = f: list: genList (i: f (i + 1) (elemAt list i)) (length list);
  ifilter0 = test: list: map (elemAt list) (filter (i: test i (elemAt list i)) (genList (i: i) (length list)));
  flatten = x: if isList x then concatMap lib.flatten x else [ x ];
  remove = x: filter (y: y != x);
  count = test: list: length (filter test list);
  reverseList = list: let end = length list - 1; in genList (i: elemAt list (end - i)) (length list);
  zipListsWith = f: a: b: genList (i: f (elemAt a i) (elemAt b i)) (lib.min (length a) (length b));
  zipLists = lib.zipListsWith (fst: snd: { inherit fst snd; });
  crossLists = f: foldl' (fs: list: concatMap (g: map g list) fs) [ f ];
  replaceElemAt = list: index: value:
    if index < 0 || index >= length list then throw "lib.lists.replaceElemAt: the list has ${toString (length list)} elements, and index ${toString index} is none of them"
    else lib.imap0 (i: x: if i == index then value else x) list;

  # One out of many
  findSingle = test: none: many: list:
    let found = filter test list; in if found == [ ] then none else if length found > 1 then many else head found;
  findFirstIndex = test: otherwise: list: let i = indexOf test list; in if i == null then otherwise else i;
  findFirst = test: otherwise: list: let i = indexOf test list; in if i == null then otherwise else elemAt list i;
  last = list: if list == [ ] then throw "lib.lists.last: the list must not be empty" else elemAt list (length list - 1);
  init = list: if list == [ ] then throw "lib.lists.init: the list must not be empty" else lib.take (length list - 1) list;

  # Parts
  take = n: lib.sublist 0 n;
  drop = n: list: lib.sublist n (length list) list;
  takeEnd = n: list: lib.drop (atLeastNone (length list - n)) list;
  dropEnd = n: list: lib.take (atLeastNone (length list - n)) list;
  sublist = from: n: list: let rest = atLeastNone (length list - from); in genList (i: elemAt list (from + i)) (lib.min n rest);
  takeWhile = test: list: let i = indexOf (x: !test x) list; in if i == null then list else lib.take i list;
  hasPrefix = start: list: lib.take (length start) list == start;
  removePrefix = start: list:
    if lib.lists.hasPrefix start list then lib.drop (length start) list
    else throw "lib.lists.removePrefix: the first list is no beginning of the second";
  commonPrefix = a: b:
    let same = lib.zipListsWith (x: y: x == y) a b; i = indexOf (x: !x) same; in
    lib.take (if i == null then length same else i) a;

  # As sets
  unique = foldl' (seen: x: if elem x seen then seen else seen ++ [ x ]) [ ];
  uniqueStrings = list: attrNames (builtins.groupBy (x: x) list);
  allUnique = list: length (lib.unique list) == length list;
  intersectLists = those: filter (x: elem x those);
  subtractLists = those: filter (x: !elem x those);
  mutuallyExclusive = a: b: all (x: !elem x b) a;

  # In order
  sortOn = f: list: map (pair: elemAt pair 1) (sort (a: b: head a < head b) (map (x: [ (f x) x ]) list));
  compareLists = compare: a: b:
    let
      differences = filter (c: c != 0) (lib.zipListsWith compare a b);
    in
    if differences != [ ] then head differences else lib.compare (length a) (length b);
  naturalSort = list:
    map (pair: elemAt pair 1) (sort (a: b: lib.compareLists lib.compare (head a) (head b) < 0) (map (x: [ (pieces x) x ]) list));

  # Down from the first element to one that nothing stands before.
  listDfs = stopOnCycles: before: list:
    let
      walk = here: visited: rest:
        let
          loops = filter (x: before x here) visited;
          ahead = builtins.partition (x: before x here) rest;
        in
        if stopOnCycles && loops != [ ] then { cycle = here; inherit loops visited rest; }
        else if ahead.right == [ ] then { minimal = here; inherit visited rest; }
        else walk (head ahead.right) ([ here ] ++ visited) (tail ahead.right ++ ahead.wrong);
    in
    walk (head list) [ ] (tail list);
  toposort = before: list:
    let
      first = lib.listDfs true before list;
      others = lib.toposort before (first.visited ++ first.rest);
    in
    if length list < 2 then { result = list; }
    else if first ? cycle then { cycle = lib.reverseList ([ first.cycle ] ++ first.visited); inherit (first) loops; }
    else if others ? cycle then others
    else { result = [ first.minimal ] ++ others.result; };
}
