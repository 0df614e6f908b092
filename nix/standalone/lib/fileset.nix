# `lib.fileset`: sets of files, held as a root and a tree. Of a folder a tree says "all", "none", or what each entry is.
lib:
let
  inherit (builtins) all any attrNames concatMap filter foldl' isAttrs isPath length mapAttrs pathExists readDir;

  # A node is true (all of it), false (nothing of it), or the nodes of a folder's entries.
  make = root: tree: { _type = "fileset"; inherit root tree; };
  empty = make null false;
  isFileset = v: isAttrs v && v._type or "" == "fileset";

  names = path: filter (n: n != "") (lib.splitString "/" (toString path));
  # The tree of /, in which one path has a node.
  above = list: node: if list == [ ] then node else { ${builtins.head list} = above (builtins.tail list) node; };
  ofPath = path: make (/. + "/") (above (names path) true);

  coerce = who: v:
    if isFileset v then v
    else if isAttrs v && v ? _isLibCleanSourceWith then throw "${who}: a source of lib.sources is no file set; lib.fileset.fromSource makes one"
    else if !isPath v then throw "${who}: ${if builtins.isString v then "the string \"${v}\"" else builtins.typeOf v} is neither a file set nor a path"
    else if !pathExists v then throw "${who}: ${toString v} is a path that does not exist; lib.fileset.maybeMissing takes one that may be missing"
    else ofPath v;

  # A node of a folder in its entries, for a node beside it that has them.
  entries = path: node: if isAttrs node then mapAttrs (name: _: node.${name} or false) (readDir path) else mapAttrs (_: _: node) (readDir path);
  # Two trees into one, where `whole` decides on nodes that are true or false, and gives null where it takes the entries.
  both = whole: path: a: b:
    let decided = whole a b; in
    if decided != null then decided
    else if !isFolder path then false
    else let left = entries path a; right = entries path b; in mapAttrs (name: node: both whole (path + "/${name}") node right.${name}) left;
  isFolder = path: lib.filesystem.pathIsDirectory path;

  unite = a: b: if a == true || b == true then true else if a == false then b else if b == false then a else null;
  meet = a: b: if a == false || b == false then false else if a == true then b else if b == true then a else null;
  without = a: b: if a == false || b == true then false else if b == false then a else null;
  combine = whole: a: b: make (if a.root == null then b.root else a.root) (both whole (/. + "/") a.tree b.tree);

  files = path: node:
    if node == false || !pathExists path then [ ]
    else if isFolder path then
      let inside = readDir path; in
      concatMap (name: let below = if isAttrs node then node.${name} or false else node; in files (path + "/${name}") below) (attrNames inside)
    else [ path ];
  listed = set: files (/. + "/") set.tree;

  filtered = test: path: node:
    if node == false then false
    else if isFolder path then
      mapAttrs (name: below: filtered test (path + "/${name}") below) (entries path node)
    else
      let name = baseNameOf path; found = builtins.match ".*([.][^.]*)" name; in
      test { inherit name; type = lib.filesystem.pathType path; hasExt = ext: found != null && lib.hasSuffix ".${ext}" name; file = path; };
in
{
  inherit isFileset empty;
  maybeMissing = path: if pathExists path then ofPath path else empty;
  union = a: b: combine unite (coerce "lib.fileset.union" a) (coerce "lib.fileset.union" b);
  unions = list: foldl' (combine unite) empty (map (coerce "lib.fileset.unions") list);
  intersection = a: b: combine meet (coerce "lib.fileset.intersection" a) (coerce "lib.fileset.intersection" b);
  difference = a: b: combine without (coerce "lib.fileset.difference" a) (coerce "lib.fileset.difference" b);
  fileFilter = test: path: make (/. + "/") (above (names path) (filtered test path true));
  toList = set: listed (coerce "lib.fileset.toList" set);
  trace = set: value: builtins.trace (lib.concatMapStringsSep "\n" toString (listed (coerce "lib.fileset.trace" set))) value;
  traceVal = set: lib.fileset.trace set set;
  fromSource = source: coerce "lib.fileset.fromSource" (source.origSrc or source);
  toSource = { root, fileset }:
    let
      wanted = listed (coerce "lib.fileset.toSource" fileset);
      keep = path: type: any (file: toString file == path || (type == "directory" && lib.hasPrefix "${path}/" (toString file))) wanted;
      outside = filter (file: !lib.path.hasPrefix root file) wanted;
    in
    if outside != [ ] then throw "lib.fileset.toSource: ${toString (builtins.head outside)} is not below the root ${toString root}"
    else { outPath = builtins.path { path = root; name = "source"; filter = keep; }; origSrc = root; _isLibCleanSourceWith = true; filter = keep; name = "source"; };
  gitTracked = _: throw "lib.fileset.gitTracked asks git, and a declaration is evaluated without programs; name the files, as in lib.fileset.unions";
  gitTrackedWith = _: throw "lib.fileset.gitTrackedWith asks git, and a declaration is evaluated without programs; name the files, as in lib.fileset.unions";
}
