# Functions about functions, numbers, comparison and messages: `lib.trivial`, `lib.fixedPoints`, `lib.debug`, `lib.asserts`.
lib:
let
  inherit (builtins) attrNames elemAt filter foldl' genList head isAttrs isFunction isList isString length mapAttrs substring stringLength tail trace tryEval;

  hexDigits = "0123456789ABCDEF";
  release = "26.05";
in
rec {
  trivial = {
    inherit (builtins) add bitAnd bitOr bitXor ceil deepSeq div floor genericClosure isBool isFloat isInt lessThan mul pathExists readFile seq sub;

    # Functions
    id = x: x;
    const = x: _: x;
    flip = f: a: b: f b a;
    pipe = foldl' (value: f: f value);
    concat = a: b: a ++ b;
    mergeAttrs = a: b: a // b;
    defaultTo = otherwise: x: if x == null then otherwise else x;
    mapNullable = f: x: if x == null then null else f x;
    isFunction = f: isFunction f || (isAttrs f && f ? __functor);
    functionArgs = f: if isAttrs f && f ? __functor then f.__functionArgs or (lib.functionArgs (f.__functor f)) else builtins.functionArgs f;
    setFunctionArgs = f: args: { __functor = _: f; __functionArgs = args; };
    mirrorFunctionArgs = f: let args = lib.functionArgs f; in g: lib.setFunctionArgs g args;
    toFunction = v: if lib.isFunction v then v else _: v;

    # Truth
    and = a: b: a && b;
    or = a: b: a || b;
    xor = a: b: a != b;
    boolToString = b: if b then "true" else "false";
    boolToYesNo = b: if b then "yes" else "no";

    # Numbers and comparison
    bitNot = n: -1 - n;
    min = a: b: if a < b then a else b;
    max = a: b: if a > b then a else b;
    mod = a: b: a - b * (a / b);
    compare = a: b: if a < b then -1 else if a > b then 1 else 0;
    splitByAndCompare = test: yes: no: a: b:
      if test a then if test b then yes a b else -1
      else if test b then 1 else no a b;
    toBaseDigits = base: n:
      let digits = n: if n < base then [ n ] else digits (n / base) ++ [ (lib.mod n base) ]; in
      assert base >= 2 && n >= 0; digits n;
    toHexString = n: lib.concatMapStrings (d: substring d 1 hexDigits) (lib.toBaseDigits 16 n);
    fromHexString = text: (builtins.fromTOML "n = 0x${lib.removePrefix "0x" (lib.toLower text)}").n;

    # Files that hold data
    importJSON = path: builtins.fromJSON (builtins.readFile path);
    importTOML = path: builtins.fromTOML (builtins.readFile path);

    # Messages
    warn = text: trace "warning: ${text}";
    warnIf = condition: text: if condition then lib.warn text else lib.id;
    warnIfNot = condition: lib.warnIf (!condition);
    info = text: trace "INFO: ${text}";
    showWarnings = texts: value: lib.foldr lib.warn value texts;
    throwIf = condition: text: if condition then throw text else lib.id;
    throwIfNot = condition: lib.throwIf (!condition);
    checkListOfEnum = what: valid: given:
      let others = lib.subtractLists valid given; say = lib.concatMapStringsSep ", " toString; in
      lib.throwIf (others != [ ]) "${what}: ${say others} unexpected; valid ones: ${say valid}";

    # Which nixpkgs this stands in for
    inherit release;
    version = release;
    versionSuffix = "";
    nixpkgsVersion = release;
    codeName = "Yarara";
    revisionWithDefault = otherwise: otherwise;
    oldestSupportedRelease = 2511;
    isInOldestRelease = n: lib.oldestSupportedReleaseIsAtLeast n;
    oldestSupportedReleaseIsAtLeast = n: n <= trivial.oldestSupportedRelease;
    inNixShell = false;
    inPureEvalMode = !(builtins ? currentSystem);
  };

  fixedPoints = rec {
    fix = f: let x = f x; in x;
    fix' = f: let x = f x // { __unfix__ = f; }; in x;
    converge = f: x: let next = f x; in if next == x then x else converge f next;
    extends = overlay: f: final: let previous = f final; in previous // overlay final previous;
    composeExtensions = f: g: final: previous:
      let first = f final previous; in first // g final (previous // first);
    composeManyExtensions = lib.foldr composeExtensions (_: _: { });
    toExtension = v:
      if lib.isFunction v then final: previous: let one = v final; in if lib.isFunction one then one previous else v previous
      else _: _: v;
    makeExtensible = makeExtensibleWithCustomName "extend";
    makeExtensibleWithCustomName = name: f:
      fix' (final: f final // { ${name} = overlay: makeExtensibleWithCustomName name (extends overlay f); });
  };

  asserts = {
    assertMsg = condition: text: condition || throw text;
    assertOneOf = name: value: choices: lib.assertMsg (builtins.elem value choices)
      "${name} must be one of ${lib.generators.toPretty { } choices}, but is: ${lib.generators.toPretty { } value}";
    assertEachOneOf = name: values: choices: lib.assertMsg (lib.subtractLists choices values == [ ])
      "each element in ${name} must be one of ${lib.generators.toPretty { } choices}, but is: ${lib.generators.toPretty { } values}";
    checkAssertWarn = assertions: warnings: value:
      let failed = map (a: a.message) (filter (a: !a.assertion) assertions); in
      if failed != [ ] then throw "\nFailed assertions:\n${lib.concatMapStringsSep "\n" (text: "- ${text}") failed}" else lib.showWarnings warnings value;
  };

  debug = {
    inherit (builtins) addErrorContext trace unsafeGetAttrPos;
    traceIf = condition: text: value: if condition then trace text value else value;
    traceVal = x: trace x x;
    traceValFn = f: x: trace (f x) x;
    traceSeq = x: trace (builtins.deepSeq x x);
    traceValSeq = x: lib.traceSeq x x;
    traceValSeqFn = f: x: lib.traceSeq (f x) x;
    traceSeqN = depth: x: trace (lib.generators.toPretty { } (lib.generators.withRecursion { depthLimit = depth; throwOnDepthLimit = false; } x));
    traceValSeqN = depth: x: lib.traceSeqN depth x x;
    traceValSeqNFn = f: depth: x: lib.traceSeqN depth (f x) x;
    traceFnSeqN = depth: name: f: x: let result = f x; in lib.traceSeqN depth { fn = name; from = x; to = result; } result;
    runTests = tests: lib.concatMap
      (name:
        let test = tests.${name}; result = if test ? expectedError then null else test.expr; in
        if lib.hasPrefix "test" name && !(test ? expectedError) && result != test.expected then [ { inherit name result; inherit (test) expected; } ] else [ ])
      (let named = tests.tests or [ ]; in if named == [ ] then attrNames (removeAttrs tests [ "tests" ]) else named);
    testAllTrue = expr: { inherit expr; expected = map (_: true) expr; };
  };
}
