# Compares the stand-in's functions with those of a published `lib`, on inputs that are made from a seed. The result names each
# function whose answers differ, with the arguments, and each that nothing is compared of.
{ ours, published, seed ? "1", rounds ? 30, only ? null }:
let
  # What a published lib asks of a newer nix than 2.8.
  newer = {
    readFileType = path: if baseNameOf path == "" then "directory" else (builtins.readDir (dirOf path)).${baseNameOf path};
  };
  scope = {
    builtins = newer // builtins;
    import = path: builtins.scopedImport scope (if builtins.pathExists (path + "/default.nix") then path + "/default.nix" else path);
  };
  theirs = if builtins ? readFileType then import published else builtins.scopedImport scope (published + "/default.nix");
  inherit (builtins) attrNames concatMap elem elemAt filter foldl' genList hashString head isAttrs isFunction isList length listToAttrs map substring tail toJSON tryEval typeOf;

  # Inputs: each kind is a function of a seed.
  digits = listToAttrs (genList (i: { name = substring i 1 "0123456789abcdef"; value = i; }) 16);
  number = s: let h = hashString "sha256" s; in foldl' (n: i: n * 16 + digits.${substring i 1 h}) 0 [ 0 1 2 3 4 5 6 ];
  below = n: s: let x = number s; in x - n * (x / n);
  from = list: s: elemAt list (below (length list) s);
  one = kinds: s: from kinds (s + "k") (s + "v");
  value = v: _: v;
  int = s: below 16 s - 4;
  nat = below 9;
  bool = from [ true false ];
  list = kind: s: genList (i: kind "${s}.${toString i}") (below 7 (s + "n"));
  some = kind: s: [ (kind (s + "first")) ] ++ list kind s;
  pieces = [ "a" "b" "ab" "A" "B2" "-" "_" " " "/" "." "0" "1" "12" "$" "'" "\"" "\\" "<" "&" "=" "\n" "é" "x86_64" "vm-a1" "?" "*" "[" "(" "\${" "''" ];
  text = s: builtins.concatStringsSep "" (list (from pieces) s);
  line = s: builtins.replaceStrings [ "\n" ] [ "n" ] (text s);
  word = s: builtins.concatStringsSep "" (some (from [ "a" "b" "vm" "web" "1" "2" "-" "_" ]) s);
  name = from [ "a" "b" "c" "interfaces" "web" ];
  path = some name;
  scalar = one [ int text bool (value null) ];
  any = one [ scalar scalar (list scalar) (setOf scalar) ];
  deep = one [ any (list any) (setOf any) ];
  setOf = kind: s: listToAttrs (map (n: { name = n; value = kind "${s}/${n}"; }) (list name (s + "s")));
  set = setOf any;
  deepSet = setOf (setOf (one [ scalar (setOf scalar) ]));
  version = s: builtins.concatStringsSep "." (map toString (some nat s));
  drv = s: { type = "derivation"; name = "${word s}-1.2"; outPath = "/nix/store/${word s}"; } // setOf (value { outPath = "/nix/store/other"; type = "derivation"; name = "o"; }) (s + "o") // (if bool s then { dev = { outPath = "/dev-of-it"; type = "derivation"; name = "d"; }; bin = { outPath = "/bin-of-it"; type = "derivation"; name = "e"; }; lib = { outPath = "/lib-of-it"; type = "derivation"; name = "l"; }; out = { outPath = "/out-of-it"; type = "derivation"; name = "l"; }; } else { });
  # Functions, by what they take.
  intTest = from [ (n: n > 2) (n: n == 1) (_: true) (_: false) (n: n < 0) ];
  anyTest = from [ (x: x == 1) builtins.isString (_: true) (_: false) isList isAttrs ];
  named = from [ (n: _: n == "a") (n: v: v == 1) (_: _: true) (n: v: isAttrs v) (_: _: false) ];
  intFunction = from [ (n: n + 1) (n: 0 - n) (_: 0) ];
  textFunction = from [ (t: t + "!") (t: substring 0 1 t) (t: builtins.replaceStrings [ "a" ] [ "e" ] t) ];
  binary = from [ (a: b: a + b) (a: b: a - b) (a: _: a) (_: b: b) ];
  before = from [ (a: b: a < b) (a: b: a > b) (a: b: a - b == 2) (a: b: a + 1 == b || b + 3 == a) ];
  compare = value (a: b: if a < b then -1 else if a > b then 1 else 0);
  pair = from [ (n: v: { inherit n v; }) (n: _: n) (_: v: v) ];
  entry = from [ (n: v: { name = n + "x"; value = v; }) (n: v: { name = "same"; value = n; }) ];
  between = from [ (p: c: elem c [ "-" "." "/" ]) (p: c: p == "a") (_: c: c == "b") (_: _: false) ];
  files = value fixture;
  file = s: fixture + "/${from [ "a.nix" "b.txt" "sub/c.nix" "sub/deep/d" "sub" "sub/deep" "empty.txt" ] s}";
  fixture = ./files;
  # What is a value for the comparison: of functions only that they are one.
  view = v: if isFunction v then "a function" else if isList v then map view v else if isAttrs v then
    if v ? outPath && (v.type or "") == "derivation" then { inherit (v) outPath; } else builtins.mapAttrs (_: view) v else v;

  cases = import ./cases.nix {
    inherit int nat bool list some text line word name path scalar any deep setOf set deepSet version drv intTest anyTest named intFunction textFunction
      binary before compare pair entry between files file fixture value from one view;
  };
  whole = cases.functions;
  has = lib: n: (foldl' (s: part: if s.there && isAttrs s.value && s.value ? ${part} then { there = true; value = s.value.${part}; } else { there = false; value = null; }) { there = true; value = lib; }
    (filter builtins.isString (builtins.split "[.]" (head (builtins.split "[ ,]" n))))).there;
  chosen = filter (n: (only == null || builtins.match only n != null) && has theirs n && has ours n) (attrNames whole);

  reach = lib: path: foldl' (s: n: s.${n}) lib (filter builtins.isString (builtins.split "[.]" path));
  try = v: let r = tryEval (let x = view v; in builtins.deepSeq x x); in if r.success then { inherit (r) value; } else { fails = true; };
  asked = case: lib: arguments:
    foldl' (g: a: g a) (if isFunction (head case) then (head case) { inherit lib; } else reach lib (head case)) arguments;
  arguments = name: case: round: genList (i: elemAt case (i + 1) "${seed}/${name}/${toString round}/${toString i}") (length case - 1);
  # A case may say itself how a function is called: { lib }: FUNCTION.
  isOwn = case: case != [ ] && builtins.functionArgs (head case) == { lib = false; };
  # A case without arguments is compared once.
  runs = case: if length case == 1 then 1 else rounds;
  differences = name:
    let case = if isOwn whole.${name} then whole.${name} else [ name ] ++ whole.${name}; in
    concatMap
      (round:
        let given = arguments name case round; a = try (asked case ours given); b = try (asked case theirs given); in
        if a == b then [ ] else [ { function = name; inherit round; arguments = view given; ours = a; theirs = b; } ])
      (genList (i: i) (runs case));

  groups = [ "lists" "strings" "attrsets" "trivial" "versions" "filesystem" "fileset" "path" "fixedPoints" "asserts" ];
  covered = attrNames whole;
  public = concatMap (g: map (n: "${g}.${n}") (filter (n: isFunction theirs.${g}.${n} || isAttrs theirs.${g}.${n}) (attrNames theirs.${g}))) groups;
  mentioned = n: elem n covered || cases.notCompared ? ${n} || builtins.any (c: builtins.match "${builtins.replaceStrings [ "." ] [ "[.]" ] n}( .*|[.].*)" c != null) covered;
in
{
  differing = concatMap differences chosen;
  compared = length chosen;
  # What a published lib has and nothing here looks at.
  forgotten = filter (n: !(mentioned n)) public;
  # Functions of the cases that this published lib has not, or has no longer.
  unknown = filter (n: !has theirs n) covered;
  missing = filter (n: !(ours ? ${head (builtins.split "[.]" n)}.${elemAt (builtins.split "[.]" n) 2})) (filter (n: !(cases.notCompared ? ${n})) public);
  types = import ./types.nix { inherit ours theirs try; };
}
