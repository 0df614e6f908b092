# Types of options: what a value may be, and how several definitions become one.
lib:
let
  inherit (builtins) all attrNames concatLists concatMap concatStringsSep elem filter foldl' head isAttrs isBool isFloat isInt isList isPath isString length listToAttrs map mapAttrs stringLength substring;

  show = value:
    if isString value || isInt value || isBool value || value == null then builtins.toJSON value
    else if isList value then "a list" else if isAttrs value then "an attribute set" else if isPath value then toString value else "a ${builtins.typeOf value}";
  where = loc: "`${lib.showOption loc}'";

  # All definitions must say the same.
  equal = loc: definitions:
    let first = head definitions; in
    if length definitions == 1 || all (d: d.value == first.value) definitions then first.value
    else throw "The option ${where loc} has conflicting definition values:${lib.showDefs definitions}";
  one = loc: definitions:
    if length definitions == 1 then (head definitions).value
    else throw "The option ${where loc} is defined more than once, in:${lib.showDefs definitions}";

  simple = name: description: check: lib.mkOptionType { inherit name description check; descriptionClass = "noun"; };
  whole = name: description: test: simple name description (v: isInt v && test v);
  # A type's description as a part of another's, in brackets where it would be misread.
  phrase = classes: lib.types.optionDescriptionPhrase (class: elem class classes);
  choice = v: if v == null then "<null>" else show v;

  # How a type is made, for two declarations of one option to become one: its name, what it is made from, and how that joins.
  defaultFunctor = name: { inherit name; type = lib.types.${name} or null; payload = null; binOp = _: _: null; };
  nested = name: make: elemType: (defaultFunctor name) // {
    payload = { inherit elemType; };
    type = p: make p.elemType;
    binOp = a: b: let type = joined a.elemType b.elemType; in if type == null then null else { elemType = type; };
  };
  joined = a: b: a.typeMerge b.functor;
  mergeFunctors = a: b:
    if a.name != b.name then null
    else if a.payload == null || b.payload == null then if a.payload == null && b.payload == null then a.type else null
    else let payload = a.binOp a.payload b.payload; in if payload == null then null else a.type payload;
  # A type without parts goes together with itself.
  plainFunctor = type: defaultFunctor type.name // { type = lib.mkOptionType type; };
  mergeTypes = a: b:
    let merged = if lib.isOptionType a && lib.isOptionType b then a.typeMerge b.functor else throw "lib.types.mergeTypes takes two types"; in
    if merged == null then { _type = "merge-error"; error = "Cannot merge types"; } else merged;
  isModule = v: isAttrs v || lib.isFunction v || lib.types.path.check v;
in
{
  mkOptionType = type: {
    _type = "option-type";
    description = type.name;
    descriptionClass = null;
    deprecationMessage = null;
    check = _: true;
    merge = equal;
    emptyValue = { };
    getSubOptions = _: { };
    getSubModules = null;
    substSubModules = _: null;
    typeMerge = mergeFunctors (type.functor or (plainFunctor type));
    functor = plainFunctor type;
    nestedTypes = { };
  } // type;
  isOptionType = t: isAttrs t && (t._type or "") == "option-type";

  showOption = loc: concatStringsSep "." (map (part: if builtins.match "[a-zA-Z_][a-zA-Z0-9_'-]*|<name>|\\*|\\[.*" part != null then part else builtins.toJSON part) loc);
  showDefs = lib.concatMapStrings (d: "\n- In `${toString d.file}': ${show d.value}");

  mergeEqualOption = equal;
  mergeOneOption = one;
  mergeUniqueOption = { message ? "", merge ? null }: loc: definitions:
    if length definitions == 1 then if merge == null then (head definitions).value else merge loc definitions
    else throw "The option ${where loc} is defined multiple times while it's expected to be unique.${if message == "" then "" else "\n${message}"}\nDefinition values:${lib.showDefs definitions}";
  # By what the values are, where an option has no type.
  mergeDefaultOption = loc: definitions:
    let values = map (d: d.value) definitions; first = head values; in
    if length values == 1 then first
    else if all lib.isFunction values then x: lib.mergeDefaultOption loc (map (d: d // { value = d.value x; }) definitions)
    else if all isList values then concatLists values
    else if all isAttrs values then foldl' (a: b: a // b) { } values
    else if all isBool values then builtins.any (v: v) values
    else if all isString values then lib.concatStrings values
    else if all isInt values && all (v: v == first) values then first
    else throw "Cannot merge definitions of ${where loc}. Definition values:${lib.showDefs definitions}";

  # The value of a type from raw definitions, or that there is none.
  mergeDefinitions = loc: type: raw:
    let
      kept = lib.strongest (concatMap lib.peel raw);
      wrong = filter (d: !type.check d.value) kept;
    in
    {
      inherit kept;
      isDefined = kept != [ ];
      value =
        if kept == [ ] then type.emptyValue.value or (throw "The option ${where loc} was accessed but has no value defined. Try setting the option.")
        else if wrong != [ ] then throw "A definition for option ${where loc} is not of type `${type.description}'. Definition values:${lib.showDefs wrong}"
        else type.merge loc kept;
    };

  types = rec {
    inherit (lib) mkOptionType isOptionType;
    isType = kind: v: isAttrs v && v._type or "" == kind;
    setType = kind: v: v // { _type = kind; };
    inherit defaultFunctor mergeTypes;
    defaultTypeMerge = mergeFunctors;
    optionDescriptionPhrase = accepts: t: if accepts (t.descriptionClass or null) then t.description else "(${t.description})";
    # An option of a type from outside of nixpkgs says nothing to whoever writes nixpkgs' manual.
    noCheckForDocsModule = { _file = "noCheckForDocsModule"; config._module.check = false; };
    types = lib.types;

    # Anything
    raw = lib.mkOptionType { name = "raw"; description = "raw value"; descriptionClass = "noun"; merge = one; };
    unspecified = lib.mkOptionType { name = "unspecified"; description = "unspecified value"; descriptionClass = "noun"; merge = lib.mergeDefaultOption; };
    anything = lib.mkOptionType {
      name = "anything"; description = "anything"; descriptionClass = "noun";
      merge = loc: definitions:
        if builtins.any (d: lib.isDerivation d.value) definitions then one loc definitions
        else if all (d: isAttrs d.value && !lib.isStringLike d.value && !(d.value ? __functor)) definitions then (lazyAttrsOf anything).merge loc definitions
        else if all (d: lib.isFunction d.value && !isAttrs d.value) definitions then argument: anything.merge (loc ++ [ "<function body>" ]) (map (d: d // { value = d.value argument; }) definitions)
        else equal loc definitions;
    };

    # Numbers
    bool = simple "bool" "boolean" isBool;
    boolByOr = simple "boolByOr" "boolean (merged using or)" isBool // { merge = _: definitions: builtins.any (d: d.value) definitions; };
    int = simple "int" "signed integer" isInt;
    float = simple "float" "floating point number" isFloat;
    number = either int float;
    ints =
      let
        sized = sign: bits: low: high: whole "${sign}Int${toString bits}"
          "${toString bits} bit ${sign} integer; between ${toString low} and ${toString high} (both inclusive)" (n: n >= low && n <= high);
      in
      {
        unsigned = whole "unsignedInt" "unsigned integer, meaning >=0" (n: n >= 0) // { descriptionClass = "nonRestrictiveClause"; };
        positive = whole "positiveInt" "positive integer, meaning >0" (n: n > 0) // { descriptionClass = "nonRestrictiveClause"; };
        between = low: high: lib.throwIf (low > high) "ints.between: ${toString low} is more than ${toString high}"
          (whole "intBetween" "integer between ${toString low} and ${toString high} (both inclusive)" (n: n >= low && n <= high));
        u8 = sized "unsigned" 8 0 255;
        u16 = sized "unsigned" 16 0 65535;
        u32 = sized "unsigned" 32 0 4294967295;
        s8 = sized "signed" 8 (-128) 127;
        s16 = sized "signed" 16 (-32768) 32767;
        s32 = sized "signed" 32 (-2147483648) 2147483647;
      };
    numbers =
      let some = name: description: test: addCheck number test // { inherit name description; }; clause = { descriptionClass = "nonRestrictiveClause"; }; in
      {
        between = low: high: lib.throwIf (low > high) "numbers.between: ${toString low} is more than ${toString high}"
          (some "numberBetween" "integer or floating point number between ${toString low} and ${toString high} (both inclusive)" (n: n >= low && n <= high));
        positive = some "numberPositive" "positive integer or floating point number, meaning >0" (n: n > 0) // clause;
        nonnegative = some "numberNonnegative" "nonnegative integer or floating point number, meaning >=0" (n: n >= 0) // clause;
      };
    port = ints.u16;

    # Texts
    str = simple "str" "string" isString;
    nonEmptyStr = simple "nonEmptyStr" "non-empty string" (v: isString v && builtins.match "[ \t\n]*" v == null);
    singleLineStr = simple "singleLineStr" "(optionally newline-terminated) single-line string" (v: isString v && builtins.match "[^\n\r]*\n?" v != null)
      // { merge = loc: definitions: lib.removeSuffix "\n" (equal loc definitions); };
    strMatching = pattern: simple "strMatching ${lib.strings.escapeNixString pattern}" "string matching the pattern ${pattern}" (v: isString v && builtins.match pattern v != null);
    separatedString = separator: lib.mkOptionType rec {
      name = "separatedString"; description = "strings concatenated with ${builtins.toJSON separator}"; descriptionClass = "noun";
      check = isString;
      merge = _: definitions: concatStringsSep separator (map (d: d.value) definitions);
      functor = (defaultFunctor name) // { payload = { sep = separator; }; type = p: separatedString p.sep; binOp = a: b: if a.sep == b.sep then a else null; };
    };
    lines = separatedString "\n";
    commas = separatedString ",";
    envVar = separatedString ":";
    passwdEntry = entry: addCheck entry (v: builtins.match "[^:\n]*" v != null)
      // { name = "passwdEntry ${entry.name}"; description = "${phrase [ "noun" ] entry}, not containing newlines or colons"; descriptionClass = "nonRestrictiveClause"; };

    # Files and packages
    path = pathWith { absolute = true; } // { description = "absolute path"; };
    pathInStore = pathWith { inStore = true; };
    externalPath = pathWith { absolute = true; inStore = false; };
    pathWith = { inStore ? null, absolute ? null }:
      simple "path"
        ((if absolute == null then "" else if absolute then "absolute " else "relative ") + "path"
          + (if inStore == null then "" else if inStore then " in the Nix store" else " not in the Nix store"))
        (v:
          let
            text = toString v;
            store = substring 0 (stringLength builtins.storeDir + 1) text == builtins.storeDir + "/"
              && builtins.match "[^.].*" (substring (stringLength builtins.storeDir + 1) (-1) text) != null;
          in
          # What is no text is copied into the store once it is used as one.
          (if inStore == false then isString v && !store else lib.isStringLike v && (inStore == null || store))
          && (absolute == null || (substring 0 1 text == "/") == absolute))
      // (let functor = (defaultFunctor "path") // { payload = { inherit inStore absolute; }; type = pathWith; binOp = a: b: if a == b then a else null; }; in
      { inherit functor; typeMerge = mergeFunctors functor; });
    package = simple "package" "package" (v: lib.isDerivation v || lib.isStorePath v) // {
      merge = loc: definitions: let v = one loc definitions; in if builtins.isPath v || (isString v && !builtins.hasContext v) then lib.toDerivation v else v;
    };
    shellPackage = package // { check = v: lib.isDerivation v && v ? shellPath; };
    pkgs = simple "pkgs" "Nixpkgs package set" (v: isAttrs v && v._type or "" == "pkgs") // { merge = one; emptyValue.value = { }; };
    fileset = simple "fileset" "fileset" (v: lib.fileset.isFileset v || builtins.isPath v) // { merge = _: definitions: lib.fileset.unions (map (d: d.value) definitions); };

    # Chosen and combined
    enum = choices: lib.mkOptionType rec {
      name = "enum";
      description =
        if choices == [ ] then "impossible (empty enum)"
        else if length choices == 1 then "value ${choice (head choices)} (singular enum)"
        else "one of ${lib.concatMapStringsSep ", " choice choices}";
      descriptionClass = if length choices < 2 then "noun" else "conjunction";
      check = v: elem v choices;
      merge = equal;
      functor = (defaultFunctor name) // { payload.values = choices; type = p: enum p.values; binOp = a: b: { values = lib.unique (a.values ++ b.values); }; };
    };
    functionTo = result: lib.mkOptionType {
      name = "functionTo"; description = "function that evaluates to a(n) ${phrase [ "noun" "composite" ] result}"; descriptionClass = "composite";
      check = lib.isFunction;
      merge = loc: definitions: argument: (lib.mergeDefinitions (loc ++ [ "<function body>" ]) result (map (d: d // { value = d.value argument; }) definitions)).value;
      getSubOptions = prefix: result.getSubOptions (prefix ++ [ "<function body>" ]);
      nestedTypes.elemType = result;
      functor = nested "functionTo" functionTo result;
    };
    uniq = unique { message = ""; };
    unique = { message ? "" }: type: lib.mkOptionType {
      name = "unique"; inherit (type) description descriptionClass check emptyValue getSubOptions;
      merge = loc: definitions:
        if length definitions == 1 then type.merge loc definitions
        else throw "The option ${where loc} is defined multiple times while it's expected to be unique.${if message == "" then "" else "\n${message}"}\nDefinition values:${lib.showDefs definitions}";
      nestedTypes.elemType = type;
      functor = nested "unique" (unique { inherit message; }) type;
    };
    addCheck = type: test: type // { check = v: type.check v && test v; };
    nullOr = type: lib.mkOptionType {
      name = "nullOr"; description = "null or ${phrase [ "noun" "conjunction" ] type}"; descriptionClass = "conjunction";
      check = v: v == null || type.check v;
      merge = loc: definitions:
        let nulls = filter (d: d.value == null) definitions; in
        if nulls == [ ] then type.merge loc definitions
        else if length nulls == length definitions then null
        else throw "The option ${where loc} is defined both null and not null, in:${lib.showDefs definitions}";
      inherit (type) getSubOptions;
      emptyValue.value = null;
      nestedTypes.elemType = type;
      functor = nested "nullOr" nullOr type;
    };
    either = a: b: lib.mkOptionType {
      name = "either"; description = "${phrase [ "noun" "conjunction" ] a} or ${phrase [ "noun" "conjunction" "composite" ] b}"; descriptionClass = "conjunction";
      check = v: a.check v || b.check v;
      merge = loc: definitions:
        if all (d: a.check d.value) definitions then a.merge loc definitions
        else if all (d: b.check d.value) definitions then b.merge loc definitions
        else one loc definitions;
      nestedTypes = { left = a; right = b; };
      functor = (defaultFunctor "either") // {
        payload = { left = a; right = b; };
        type = p: either p.left p.right;
        binOp = x: y: let left = joined x.left y.left; right = joined x.right y.right; in if left == null || right == null then null else { inherit left right; };
      };
    };
    oneOf = types: if types == [ ] then throw "oneOf needs a list of at least one type" else foldl' either (head types) (builtins.tail types);
    coercedTo = from: f: to: lib.mkOptionType {
      name = "coercedTo"; description = "${phrase [ "noun" ] to} or ${phrase [ "noun" ] from} convertible to it";
      check = v: (from.check v && to.check (f v)) || to.check v;
      merge = loc: definitions: to.merge loc (map (d: if from.check d.value then d // { value = f d.value; } else d) definitions);
      inherit (to) emptyValue getSubOptions;
      nestedTypes = { coercedType = from; finalType = to; };
      typeMerge = _: null;
    };

    # Lists and sets
    listOf = type: lib.mkOptionType {
      name = "listOf"; description = "list of ${phrase [ "noun" "composite" ] type}"; descriptionClass = "composite"; check = isList;
      merge = loc: definitions:
        map (m: m.value) (filter (m: m.isDefined) (concatLists (lib.imap1
          (n: d: lib.imap1 (m: v: lib.mergeDefinitions (loc ++ [ "[definition ${toString n}-entry ${toString m}]" ]) type [ (lib.definition d.file v) ]) d.value)
          definitions)));
      getSubOptions = prefix: type.getSubOptions (prefix ++ [ "*" ]);
      emptyValue.value = [ ];
      nestedTypes.elemType = type;
      functor = nested "listOf" listOf type;
    };
    nonEmptyListOf = type: addCheck (listOf type) (v: v != [ ]) // {
      description = "non-empty ${phrase [ "noun" ] (listOf type)}"; emptyValue = { };
    };
    attrs = lib.mkOptionType { name = "attrs"; description = "attribute set"; check = isAttrs; merge = _: foldl' (all: d: all // d.value) { }; emptyValue.value = { }; };
    attrsOf = type: attrsWith { elemType = type; };
    # A member's condition is not looked at until the member's value is asked for.
    lazyAttrsOf = type: attrsWith { elemType = type; lazy = true; };
    attrsWith = { elemType, lazy ? false, placeholder ? "name" }: lib.mkOptionType rec {
      name = if lazy then "lazyAttrsOf" else "attrsOf";
      description = "${if lazy then "lazy " else ""}attribute set of ${phrase [ "noun" "composite" ] elemType}"; descriptionClass = "composite";
      check = isAttrs;
      merge =
        if lazy then loc: definitions: lib.genAttrs (namesOf definitions)
          (name: let m = member elemType loc name definitions; in if m.isDefined then m.value else elemType.emptyValue.value or m.value)
        else loc: definitions: listToAttrs (concatMap
          (name: let m = member elemType loc name definitions; in if m.isDefined then [ { inherit name; inherit (m) value; } ] else [ ])
          (namesOf definitions));
      getSubOptions = prefix: elemType.getSubOptions (prefix ++ [ "<${placeholder}>" ]);
      emptyValue.value = { };
      nestedTypes.elemType = elemType;
      functor = (defaultFunctor "attrsWith") // {
        payload = { inherit elemType lazy placeholder; };
        type = attrsWith;
        binOp = a: b:
          let type = joined a.elemType b.elemType; in
          if type == null || a.lazy != b.lazy then null
          else { elemType = type; inherit (a) lazy; placeholder = if a.placeholder == "name" then b.placeholder else a.placeholder; };
      };
    };
    loaOf = attrsOf;
    namesOf = definitions: attrNames (foldl' (all: d: all // d.value) { } definitions);
    member = type: loc: name: definitions: lib.mergeDefinitions (loc ++ [ name ]) type
      (concatMap (d: if d.value ? ${name} then [ (lib.definition d.file d.value.${name}) ] else [ ]) definitions);
    # A list of sets with one name each, or one set; in the order that mkOrder gives.
    attrListOf = type: attrListWith { elemType = type; };
    attrListWith = { elemType, asAttrs ? false, mergeAttrValues ? false }: lib.mkOptionType {
      name = "attrListOf"; description = "attribute list of ${phrase [ "noun" "composite" ] elemType}"; descriptionClass = "composite";
      check = v: isAttrs v || isList v;
      merge = loc: definitions:
        let
          whole = d: lib.throwIf (isList d.value && !all (x: isAttrs x && length (attrNames x) == 1) d.value)
            "Each entry of the list ${where loc} has to be a set of one name, in:${lib.showDefs [ d ]}" d;
          entries = concatMap
            (d: concatMap (set: map (name: { inherit name; inherit (d) file; value = set.${name}; }) (attrNames set)) (lib.toList (whole d).value))
            definitions;
          merged = concatMap
            (e: map (p: { inherit (p) order; value.${e.name} = (lib.mergeDefinitions (loc ++ [ e.name ]) elemType [ p ]).value; })
              (lib.strongest (lib.peel (lib.definition e.file e.value))))
            entries;
        in
        map (e: e.value) (builtins.sort (a: b: a.order < b.order) merged);
      emptyValue.value = [ ];
      nestedTypes.elemType = elemType;
      typeMerge = _: null;
    };
    attrTag = tags: lib.mkOptionType {
      name = "attrTag"; description = "attribute-tagged union with choices: ${concatStringsSep ", " (attrNames tags)}"; descriptionClass = "noun";
      check = v: isAttrs v && length (attrNames v) == 1 && tags ? ${head (attrNames v)};
      merge = loc: definitions:
        let names = namesOf definitions; name = head names; in
        if length names != 1 then throw "The option ${where loc} is defined with several tags, in:${lib.showDefs definitions}"
        else {
          ${name} = (lib.evalOptionValue (loc ++ [ name ]) tags.${name} (map (d: lib.definition d.file d.value.${name}) definitions)).value;
        };
      getSubOptions = prefix: mapAttrs (name: o: o // { loc = prefix ++ [ name ]; }) tags;
    };

    # Modules
    deferredModule = deferredModuleWith { };
    deferredModuleWith = { staticModules ? [ ] }: lib.mkOptionType {
      name = "deferredModule"; description = "module"; descriptionClass = "noun"; check = isModule;
      merge = loc: definitions: { imports = staticModules ++ map (d: { _file = "${toString d.file}, via option ${lib.showOption loc}"; imports = [ d.value ]; }) definitions; };
      getSubOptions = (submoduleWith { modules = staticModules; }).getSubOptions;
    };
    submodule = modules: submoduleWith { modules = lib.toList modules; shorthandOnlyDefinesConfig = true; };
    submoduleWith = given@{ modules, specialArgs ? { }, shorthandOnlyDefinesConfig ? false, description ? null, class ? null }:
      let
        evaluate = loc: more: lib.evalModules {
          modules = modules ++ [ { _module.args.name = lib.mkOptionDefault (if loc == [ ] then "‹name›" else lib.last loc); } ] ++ more;
          inherit specialArgs;
          prefix = loc;
        };
        free = (evaluate [ ] [ ])._module.freeformType;
        asModule = d: if isAttrs d.value && shorthandOnlyDefinesConfig then { _file = d.file; config = d.value; } else { _file = d.file; imports = [ d.value ]; };
      in
      lib.mkOptionType rec {
        name = "submodule"; check = isModule;
        description =
          if given.description or null != null then given.description
          else if free ? description then "open submodule of ${phrase [ "noun" "composite" ] free}" else "submodule";
        merge = loc: definitions: (evaluate loc (map asModule definitions)).config;
        getSubOptions = prefix: (evaluate (if prefix == [ ] then [ "<name>" ] else prefix) [ ]).options;
        getSubModules = modules;
        substSubModules = m: submoduleWith (given // { modules = m; });
        emptyValue.value = (evaluate [ ] [ ]).config;
        functor = (defaultFunctor name) // {
          payload = { inherit modules specialArgs shorthandOnlyDefinesConfig class; description = given.description or null; };
          type = submoduleWith;
          binOp = a: b:
            if builtins.intersectAttrs a.specialArgs b.specialArgs != builtins.intersectAttrs b.specialArgs a.specialArgs then throw "A submoduleWith option is declared multiple times with the same specialArgs"
            else {
              modules = a.modules ++ b.modules;
              specialArgs = a.specialArgs // b.specialArgs;
              inherit (a) shorthandOnlyDefinesConfig class;
              description = if a.description == null then b.description else a.description;
            };
        };
      };
    optionType = simple "optionType" "optionType" lib.isOptionType // {
      merge = loc: definitions:
        let merged = foldl' (a: d: if a == null then null else joined a d.value) (head definitions).value (builtins.tail definitions); in
        if merged == null then throw "The option ${where loc} has types that don't go together, in:${lib.showDefs definitions}" else merged;
    };
    optionDeclaration = simple "optionDeclaration" "option declaration" lib.isOption;

    # Data for a file in another language
    json = serializableValueWith { typeName = "JSON"; };
    toml = serializableValueWith { typeName = "TOML"; nullable = false; };
    serializableValueWith = { typeName, nullable ? true }:
      let
        value = (if nullable then nullOr else lib.id) (oneOf [ bool int float str path (attrsOf value) (listOf value) ]) // { description = "${typeName} value"; };
      in
      value;
    luaInline = simple "luaInline" "inline lua" (v: isAttrs v && v._type or "" == "lua-inline");
  };
}
