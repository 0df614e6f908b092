# What a definition can say about itself besides its value: on which condition it holds, how strong it is, and where in
# a list it goes. Names and numbers are NixOS's own.
lib:
{
  mkIf = condition: content: { _type = "if"; inherit condition content; };
  mkMerge = contents: { _type = "merge"; inherit contents; };
  mkAssert = condition: message: content: if condition then content else throw message;

  mkOverride = priority: content: { _type = "override"; inherit priority content; };
  mkOptionDefault = lib.mkOverride 1500;
  mkDefault = lib.mkOverride 1000;
  mkImageMediaOverride = lib.mkOverride 60;
  mkForce = lib.mkOverride 50;
  mkVMOverride = lib.mkOverride 10;
  mkForceOptional = lib.mkForce;
  defaultOverridePriority = 100;

  mkOrder = priority: content: { _type = "order"; inherit priority content; };
  mkBefore = lib.mkOrder 500;
  mkAfter = lib.mkOrder 1500;
  defaultOrderPriority = 1000;

  # One definition into those that it stands for: no properties are left in any value, and the conditions are not looked at.
  # A definition is { file; value; when; priority; order; }; an outer mkForce is stronger than an inner one.
  peel = d:
    let kind = if builtins.isAttrs d.value then d.value._type or "" else ""; in
    if kind == "if" then lib.peel (d // { value = d.value.content; when = d.when && d.value.condition; })
    else if kind == "merge" then builtins.concatMap (value: lib.peel (d // { inherit value; })) d.value.contents
    else if kind == "override" then lib.peel (d // { value = d.value.content; priority = if d.forced or false then d.priority else d.value.priority; forced = true; })
    else if kind == "order" then lib.peel (d // { value = d.value.content; order = d.value.priority; })
    else [ d ];
  definition = file: value: { inherit file value; when = true; priority = 100; order = 1000; };

  # Of peeled definitions those that count, in the order in which they count.
  strongest = definitions:
    let
      holding = builtins.filter (d: d.when) definitions;
      best = builtins.foldl' (a: d: lib.min a d.priority) 100000 holding;
    in
    builtins.sort (a: b: a.order < b.order) (builtins.filter (d: d.priority == best) holding);
}
