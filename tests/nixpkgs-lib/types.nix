# Compares the stand-in's option types with a published `lib`: what each is called, which values it takes, what one, two or no
# definition come to, with their properties, and what two declarations of one option come to.
{ ours, theirs, try, only ? null }:
let
  inherit (builtins) attrNames concatMap elemAt filter genList length listToAttrs;

  made = {
    raw = t: t.raw; unspecified = t: t.unspecified; anything = t: t.anything;
    bool = t: t.bool; boolByOr = t: t.boolByOr; int = t: t.int; float = t: t.float; number = t: t.number; port = t: t.port;
    u8 = t: t.ints.u8; u16 = t: t.ints.u16; u32 = t: t.ints.u32; s8 = t: t.ints.s8; s16 = t: t.ints.s16; s32 = t: t.ints.s32;
    unsigned = t: t.ints.unsigned; positive = t: t.ints.positive; between = t: t.ints.between 1 5; backwards = t: t.ints.between 5 1;
    numberBetween = t: t.numbers.between 1 5; numberPositive = t: t.numbers.positive; numberNonnegative = t: t.numbers.nonnegative;
    str = t: t.str; nonEmptyStr = t: t.nonEmptyStr; singleLineStr = t: t.singleLineStr; strMatching = t: t.strMatching "[a-z]+";
    separated = t: t.separatedString ", "; lines = t: t.lines; commas = t: t.commas; envVar = t: t.envVar; passwdEntry = t: t.passwdEntry t.str;
    path = t: t.path; pathInStore = t: t.pathInStore; externalPath = t: t.externalPath; relative = t: t.pathWith { absolute = false; };
    anyPath = t: t.pathWith { }; absoluteInStore = t: t.pathWith { inStore = true; absolute = true; };
    package = t: t.package; shellPackage = t: t.shellPackage; pkgs = t: t.pkgs;
    enum = t: t.enum [ "a" "b" ]; enumOfOne = t: t.enum [ "a" ]; enumOfNone = t: t.enum [ ]; enumMixed = t: t.enum [ "a" 1 true null ];
    functionTo = t: t.functionTo t.int; functionToLists = t: t.functionTo (t.nullOr (t.listOf t.int));
    uniq = t: t.uniq t.int; unique = t: t.unique { message = "only once"; } (t.listOf t.int);
    addCheck = t: t.addCheck t.int (n: n > 0); nullOr = t: t.nullOr t.int; nullOrList = t: t.nullOr (t.listOf t.int);
    either = t: t.either t.int t.str; eitherList = t: t.either (t.listOf t.int) t.str; oneOf = t: t.oneOf [ t.int t.bool (t.attrsOf t.int) ];
    coercedTo = t: t.coercedTo t.int toString t.str; coercedToList = t: t.coercedTo t.str (s: [ s ]) (t.listOf t.str);
    listOf = t: t.listOf t.int; listOfNull = t: t.listOf (t.nullOr t.str); listOfLists = t: t.listOf (t.listOf t.int); nonEmptyListOf = t: t.nonEmptyListOf t.int;
    attrs = t: t.attrs; attrsOf = t: t.attrsOf t.int; attrsOfAny = t: t.attrsOf t.anything; attrsOfEither = t: t.attrsOf (t.either t.int t.str);
    lazyAttrsOf = t: t.lazyAttrsOf t.int; attrsOfAttrs = t: t.attrsOf (t.attrsOf t.int); attrsWith = t: t.attrsWith { elemType = t.int; lazy = true; };
    attrListOf = t: t.attrListOf t.int; attrTag = t: t.attrTag { a = mkOption t { type = t.int; }; b = mkOption t { type = t.str; }; };
    submodule = t: t.submodule { options.a = mkOption t { type = t.int; default = 5; }; options.b = mkOption t { type = t.str; }; };
    submodules = t: t.attrsOf (t.submodule ({ name, ... }: { options.a = mkOption t { type = t.nullOr t.int; default = null; }; options.b = mkOption t { type = t.str; default = name; }; }));
    submoduleWith = t: t.submoduleWith { modules = [ ({ more, ... }: { options.a = mkOption t { type = t.int; default = more; }; }) ]; specialArgs.more = 7; description = "ours"; };
    listOfSubmodules = t: t.listOf (t.submodule { options.a = mkOption t { type = t.int; }; });
    freeform = t: t.submodule { freeformType = t.attrsOf t.int; options.b = mkOption t { type = t.str; default = "x"; }; };
    json = t: t.json; toml = t: t.toml; serializable = t: t.serializableValueWith { typeName = "X"; }; luaInline = t: t.luaInline; optionType = t: t.optionType;
    optionDeclaration = t: t.optionDeclaration;
  };
  mkOption = _: options: options // { _type = "option"; };

  values = [
    1 (-1) 0 4 300 70000 1.5 0.0 "a" "" "b" "abc" "x:y" "a\nb" "line\n" " " null true false [ ] [ 1 ] [ 1 2 ] [ "a" ] [ null ] [ [ 1 ] ]
    { } { a = 1; } { a = 2; } { b = "x"; } { a = 1; b = "x"; } { a.b = 1; } { a.c = 2; } { c = [ 1 ]; } [ { a = 1; } ] [ { a = 1; } { b = 2; } ]
    ./files/a.nix (toString ./files/a.nix) "relative/x" { type = "derivation"; name = "d"; outPath = "/x"; }
    { type = "derivation"; name = "sh"; outPath = "/x"; shellPath = "/bin/sh"; } { _type = "lua-inline"; expr = "1"; } { _type = "pkgs"; }
  ];
  count = length values;

  option = lib: make: more: { options.x = lib.mkOption ({ type = make lib.types; } // more); };
  evaluated = lib: modules: try (lib.evalModules { inherit modules; }).config.x;
  one = v: { config.x = v; };

  # Each a function of `lib`, so that both do the same.
  questions = name:
    let
      make = made.${name};
      # The published one (2026-06) stops at an order of a whole submodule.
      ordered = if builtins.elem name [ "submodule" "submoduleWith" "freeform" ] then _: [ ] else list: list;
    in
    {
      description = lib: try (make lib.types).description;
      empty = lib: evaluated lib [ (option lib make { }) ];
      standard = lib: evaluated lib [ (option lib make { default = elemAt values 26; }) ];
      optionDefault = lib: try ((make lib.types).emptyValue.value or "none");
      suboptions = lib: try (filter (n: n != "_freeformOptions") (attrNames ((make lib.types).getSubOptions [ "x" ])));
    }
    // listToAttrs (concatMap
      (i:
        let v = elemAt values i; n = toString i; next = elemAt values (i + 1 - count * ((i + 1) / count)); in
        [
          { name = "takes ${n}"; value = lib: try ((make lib.types).check v); }
          { name = "one ${n}"; value = lib: evaluated lib [ (option lib make { }) (one v) ]; }
          { name = "twice ${n}"; value = lib: evaluated lib [ (option lib make { }) (one v) (one v) ]; }
          { name = "two ${n}"; value = lib: evaluated lib [ (option lib make { }) (one v) (one next) ]; }
          { name = "forced ${n}"; value = lib: evaluated lib [ (option lib make { }) (one next) (one (lib.mkForce v)) ]; }
          { name = "weaker ${n}"; value = lib: evaluated lib [ (option lib make { default = next; }) (one (lib.mkDefault v)) (one (lib.mkIf false next)) ]; }
        ] ++ ordered [
          { name = "ordered ${n}"; value = lib: evaluated lib [ (option lib make { }) (one (lib.mkMerge [ (lib.mkAfter v) (lib.mkBefore next) ])) (one (lib.mkIf true v)) ]; }
        ])
      (genList (i: i) count));

  # A type that is made of itself never ends to be merged, in the published one as in ours; and of two numbers with bounds the
  # published one forgets the bounds.
  merged = filter (name: !(builtins.elem name [ "pkgs" "json" "toml" "serializable" "port" "u8" "u16" "u32" "s8" "s16" "s32" "unsigned" "positive" "between" "backwards" "numberBetween" "numberPositive" "numberNonnegative" ])) (attrNames made);
  pairs = if only != null then [ ] else concatMap (a: map (b: { inherit a b; }) merged) merged;
  joined = p: lib: let m = lib.types.mergeTypes (made.${p.a} lib.types) (made.${p.b} lib.types); in try (if m._type or "" == "option-type" then m.description else "no type");

  # Modules: two that declare one option, the order of definitions, what holds and what is stronger.
  evaluations = {
    order = lib: [ (option lib (t: t.listOf t.str) { }) { config.x = [ "A" ]; imports = [ { config.x = [ "A1" ]; imports = [ { config.x = [ "A11" ]; } ]; } { config.x = [ "A2" ]; } ]; }
      { config.x = lib.mkMerge [ [ "B" ] [ "b" ] ]; } { x = lib.mkBefore [ "first" ]; } { x = lib.mkAfter [ "last" ]; } { x = lib.mkOrder 600 [ "second" ]; } { x = [ "C" ]; } ];
    twiceImported = lib: [ (option lib (t: t.listOf t.str) { }) { imports = [ ./files/module.nix ./files/other.nix ]; } ./files/module.nix ];
    disabled = lib: [ (option lib (t: t.listOf t.str) { }) { imports = [ ./files/module.nix ./files/other.nix ]; } { disabledModules = [ ./files/module.nix ]; } ];
    disabledByKey = lib: [ (option lib (t: t.listOf t.str) { }) { imports = [ { key = "one"; config.x = [ "one" ]; } { key = "two"; config.x = [ "two" ]; } ]; disabledModules = [ { key = "one"; } ]; } ];
    conditions = lib: [ (option lib (t: t.listOf t.str) { }) ({ config, ... }: { options.on = lib.mkOption { default = true; }; config = lib.mkIf config.on { x = [ "on" ]; }; }) { x = lib.mkIf false [ "never" ]; } ];
    forced = lib: [ (option lib (t: t.listOf t.str) { }) { x = lib.mkForce [ "forced" ]; } { x = lib.mkDefault [ "default" ]; } { x = [ "plain" ]; } { x = lib.mkOverride 50 (lib.mkBefore [ "too" ]); } ];
    arguments = lib: [ (option lib (t: t.anything) { }) { _module.args.more = 5; } ({ more, config, options, lib, ... }: { x = [ more (options ? x) options.x.isDefined ]; }) ];
    applied = lib: [ (option lib (t: t.int) { apply = n: n * 2; default = 1; }) { x = 4; } ];
    readOnly = lib: [ (option lib (t: t.int) { readOnly = true; default = 1; }) ];
    readOnlyTwice = lib: [ (option lib (t: t.int) { readOnly = true; }) { x = 1; } { x = 1; } ];
    unknown = lib: [ (option lib (t: t.int) { default = 1; }) { y = 1; } ];
    unchecked = lib: [ (option lib (t: t.int) { default = 1; }) { y = 1; _module.check = false; } ];
    renamed = lib: [ (option lib (t: t.int) { }) (lib.mkRenamedOptionModule [ "old" ] [ "x" ]) { old = 7; } ];
    alias = lib: [ (option lib (t: t.int) { }) (lib.mkAliasOptionModule [ "other" ] [ "x" ]) { other = 7; } ];
    asserted = lib: [ (option lib (t: t.int) { }) { x = lib.mkIf true (lib.mkMerge [ (lib.mkDefault 1) (lib.mkIf true 2) ]); } ];
    package = lib: [ ({ ... }: { options.x = lib.mkPackageOption { a.b = { type = "derivation"; name = "b"; outPath = "/b"; }; } [ "a" "b" ] { }; }) ];
    enable = lib: [ { options.x = lib.mkEnableOption "it"; } ];
    freely = lib: [ { freeformType = lib.types.attrsOf lib.types.int; options.x = lib.mkOption { type = lib.types.raw; }; } { y = 1; } ({ config, ... }: { x = config.y; }) ];
    enum = lib: [ (option lib (t: t.enum [ "a" ]) { }) (option lib (t: t.enum [ "b" ]) { }) (one "b") ];
    submodule = lib: [ (option lib made.submodules { }) (option lib (t: t.attrsOf (t.submodule { options.c = lib.mkOption { type = t.int; default = 3; }; })) { }) (one { n.a = 1; }) ];
    lists = lib: [ (option lib made.listOf { }) (option lib made.listOf { }) (one [ 1 ]) ];
    others = lib: [ (option lib made.listOf { }) (option lib made.attrsOf { }) (one [ ]) ];
    texts = lib: [ (option lib made.lines { }) (option lib made.commas { }) (one "x") ];
  };

  compare = function: q: let a = q ours; b = q theirs; in if a == b then [ ] else [ { inherit function; ours = a; theirs = b; } ];
  known = filter (name: (only == null || only == name) && (builtins.tryEval (builtins.seq (made.${name} theirs.types) true)).success || name == "backwards") (attrNames made);
in
concatMap (name: concatMap (q: compare "types.${name} ${q}" (questions name).${q}) (attrNames (questions name))) known
++ concatMap (name: compare "modules, ${name}" (lib: evaluated lib (evaluations.${name} lib))) (attrNames evaluations)
++ concatMap (p: compare "types.mergeTypes ${p.a} ${p.b}" (joined p)) pairs
