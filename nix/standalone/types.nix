# Types of options: what a value may be, and how several definitions become one.
lib:
let
  inherit (builtins) all attrNames concatLists concatMap concatStringsSep elem filter foldl' head isAttrs isBool isFloat isInt isList isPath isString length listToAttrs map stringLength;

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

  simple = name: description: check: lib.mkOptionType { inherit name description check; };
  whole = name: description: test: simple name description (v: isInt v && test v);
  texts = name: description: separator: lib.mkOptionType {
    inherit name description;
    check = isString;
    merge = _: definitions: concatStringsSep separator (map (d: d.value) definitions);
  };
  isModule = v: isAttrs v || lib.isFunction v || isPath v;
in
{
  mkOptionType = type: {
    _type = "option-type";
    description = type.name;
    check = _: true;
    merge = equal;
    getSubOptions = _: { };
    nestedTypes = { };
  } // type;
  isOptionType = t: isAttrs t && (t._type or "") == "option-type";

  showOption = loc: concatStringsSep "." (map (part: if builtins.match "[a-zA-Z_][a-zA-Z0-9_'-]*|<name>|\\*|\\[.*" part != null then part else builtins.toJSON part) loc);
  showDefs = lib.concatMapStrings (d: "\n- In `${toString d.file}': ${show d.value}");

  mergeEqualOption = equal;
  mergeOneOption = one;
  mergeDefaultOption = equal;

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
    raw = lib.mkOptionType { name = "raw"; description = "raw value"; merge = one; };
    unspecified = lib.mkOptionType { name = "unspecified"; description = "unspecified value"; };
    anything = lib.mkOptionType {
      name = "anything";
      description = "anything";
      merge = loc: definitions:
        if all (d: isAttrs d.value && !lib.isDerivation d.value) definitions then (attrsOf anything).merge loc definitions
        else if all (d: isList d.value) definitions && length definitions > 1 then concatLists (map (d: d.value) definitions)
        else equal loc definitions;
    };
    bool = simple "bool" "boolean" isBool;
    boolByOr = bool // { name = "boolByOr"; merge = _: definitions: builtins.any (d: d.value) definitions; };
    int = simple "int" "signed integer" isInt;
    float = simple "float" "floating point number" isFloat;
    number = either int float;
    ints = {
      unsigned = whole "unsignedInt" "unsigned integer, meaning >=0" (n: n >= 0);
      positive = whole "positiveInt" "positive integer, meaning >0" (n: n > 0);
      between = low: high: whole "intBetween" "integer between ${toString low} and ${toString high} (both inclusive)" (n: n >= low && n <= high);
      u8 = ints.between 0 255;
      u16 = ints.between 0 65535;
      u32 = ints.between 0 4294967295;
    };
    port = (ints.u16) // { description = "16 bit unsigned integer; between 0 and 65535 (both inclusive)"; };
    str = simple "str" "string" isString;
    nonEmptyStr = simple "nonEmptyStr" "non-empty string" (v: isString v && builtins.match "[[:space:]]*" v == null);
    singleLineStr = simple "singleLineStr" "(optionally newline-terminated) single-line string" (v: isString v && builtins.match "[^\n]*\n?" v != null);
    strMatching = pattern: simple "strMatching" "string matching the pattern ${pattern}" (v: isString v && builtins.match pattern v != null);
    separatedString = separator: texts "separatedString" "strings concatenated with ${builtins.toJSON separator}" separator;
    lines = separatedString "\n";
    commas = separatedString ",";
    envVar = separatedString ":";
    path = simple "path" "path" (v: lib.isStringLike v && builtins.substring 0 1 (toString v) == "/");
    package = simple "package" "package" (v: lib.isDerivation v || lib.isStorePath v);
    pkgs = simple "pkgs" "Nixpkgs package set" isAttrs;
    attrs = lib.mkOptionType { name = "attrs"; description = "attribute set"; check = isAttrs; merge = _: foldl' (all: d: all // d.value) { }; emptyValue.value = { }; };
    enum = choices: simple "enum" "one of ${lib.concatMapStringsSep ", " show choices}" (v: elem v choices);
    functionTo = result: lib.mkOptionType {
      name = "functionTo"; description = "function that evaluates to a(n) ${result.description}"; check = lib.isFunction;
      merge = loc: definitions: argument: (lib.mergeDefinitions (loc ++ [ "<function body>" ]) result (map (d: d // { value = d.value argument; }) definitions)).value;
    };
    uniq = type: type // { name = "uniq"; merge = one; };
    unique = _: uniq;
    addCheck = type: test: type // { check = v: type.check v && test v; };
    nullOr = type: lib.mkOptionType {
      name = "nullOr"; description = "null or ${type.description}";
      check = v: v == null || type.check v;
      merge = loc: definitions:
        let nulls = filter (d: d.value == null) definitions; in
        if nulls == [ ] then type.merge loc definitions
        else if length nulls == length definitions then null
        else throw "The option ${where loc} is defined both null and not null, in:${lib.showDefs definitions}";
      inherit (type) getSubOptions;
      emptyValue.value = null;
      nestedTypes.elemType = type;
    };
    either = a: b: lib.mkOptionType {
      name = "either"; description = "${a.description} or ${b.description}";
      check = v: a.check v || b.check v;
      merge = loc: definitions:
        if all (d: a.check d.value) definitions then a.merge loc definitions
        else if all (d: b.check d.value) definitions then b.merge loc definitions
        else equal loc definitions;
      nestedTypes = { left = a; right = b; };
    };
    oneOf = types: foldl' either (head types) (builtins.tail types);
    coercedTo = from: f: to: lib.mkOptionType {
      name = "coercedTo"; description = "${to.description} or ${from.description} convertible to it";
      check = v: (from.check v && to.check (f v)) || to.check v;
      merge = loc: definitions: to.merge loc (map (d: if from.check d.value then d // { value = f d.value; } else d) definitions);
      inherit (to) getSubOptions;
    };
    listOf = type: lib.mkOptionType {
      name = "listOf"; description = "list of ${type.description}"; check = isList;
      merge = loc: definitions:
        map (m: m.value) (filter (m: m.isDefined) (concatLists (lib.imap1
          (n: d: lib.imap1 (m: v: lib.mergeDefinitions (loc ++ [ "[definition ${toString n}-entry ${toString m}]" ]) type [ (lib.definition d.file v) ]) d.value)
          definitions)));
      getSubOptions = prefix: type.getSubOptions (prefix ++ [ "*" ]);
      emptyValue.value = [ ];
      nestedTypes.elemType = type;
    };
    nonEmptyListOf = type: addCheck (listOf type) (v: v != [ ]);
    attrsOf = type: (lazyAttrsOf type) // {
      name = "attrsOf"; description = "attribute set of ${type.description}";
      merge = loc: definitions: listToAttrs (concatMap
        (name: let m = member type loc name definitions; in if m.isDefined then [ { inherit name; inherit (m) value; } ] else [ ])
        (namesOf definitions));
    };
    # A member's condition is not looked at until the member's value is asked for.
    lazyAttrsOf = type: lib.mkOptionType {
      name = "lazyAttrsOf"; description = "lazy attribute set of ${type.description}"; check = isAttrs;
      merge = loc: definitions: lib.genAttrs (namesOf definitions) (name: (member type loc name definitions).value);
      getSubOptions = prefix: type.getSubOptions (prefix ++ [ "<name>" ]);
      emptyValue.value = { };
      nestedTypes.elemType = type;
    };
    namesOf = definitions: attrNames (foldl' (all: d: all // d.value) { } definitions);
    member = type: loc: name: definitions: lib.mergeDefinitions (loc ++ [ name ]) type
      (concatMap (d: if d.value ? ${name} then [ (lib.definition d.file d.value.${name}) ] else [ ]) definitions);
    deferredModule = lib.mkOptionType {
      name = "deferredModule"; description = "module"; check = isModule;
      merge = _: definitions: { imports = map (d: d.value) definitions; };
    };
    submodule = modules: submoduleWith { modules = lib.toList modules; shorthandOnlyDefinesConfig = true; };
    submoduleWith = { modules, specialArgs ? { }, shorthandOnlyDefinesConfig ? false, description ? null, class ? null }:
      let
        evaluate = loc: more: lib.evalModules {
          modules = modules ++ [ { _module.args.name = lib.last loc; } ] ++ more;
          inherit specialArgs;
          prefix = loc;
        };
      in
      lib.mkOptionType {
        name = "submodule"; description = if description == null then "submodule" else description; check = isModule;
        merge = loc: definitions: (evaluate loc (map
          (d: if isAttrs d.value && shorthandOnlyDefinesConfig then { _file = d.file; config = d.value; } else { _file = d.file; imports = [ d.value ]; })
          definitions)).config;
        getSubOptions = prefix: removeAttrs (evaluate (if prefix == [ ] then [ "<name>" ] else prefix) [ ]).options [ "_module" ];
        emptyValue.value = { };
      };
  };
}
