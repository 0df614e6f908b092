namespace Microvm.Declaration;

/// <summary>What the value of an option may be.</summary>
internal abstract record OptionType
{
    /// <summary>The type in the words of an error message and of the documentation.</summary>
    public abstract string Words { get; }
}

/// <summary>True or false.</summary>
internal sealed record BoolType : OptionType
{
    public override string Words => "true or false";
}

/// <summary>A whole number; both ends belong to it.</summary>
internal sealed record IntegerType(long Least, long Most) : OptionType
{
    public override string Words => Most == long.MaxValue ? $"a whole number, {Least} or more" : $"a whole number from {Least} to {Most}";
}

/// <summary>A text without a NUL, which no argument of a program can hold.</summary>
internal sealed record TextType(bool MayBeEmpty = true) : OptionType
{
    public override string Words => "a string";
}

/// <summary>A path on the host. It can't begin with '-', so no hypervisor takes it for an option.</summary>
internal sealed record PathType : OptionType
{
    public override string Words => "a path";
}

/// <summary>A path, or a package as Nix hands it over: an attribute set with <c>outPath</c> and perhaps <c>dev</c>.</summary>
internal sealed record PackageType : OptionType
{
    public override string Words => "a package or a path";
}

/// <summary>One of a few words.</summary>
internal sealed record ChoiceType(params string[] Choices) : OptionType
{
    public override string Words => $"one of {string.Join(", ", Choices)}";
}

/// <summary>A list of values of one type.</summary>
internal sealed record ListType(OptionType Item) : OptionType
{
    public override string Words => "a list";
}

/// <summary>An attribute set of any names, with values of one type.</summary>
internal sealed record AttributesType(OptionType Item) : OptionType
{
    public override string Words => "an attribute set";
}

/// <summary>An attribute set with options of its own.</summary>
internal sealed record SetType(OptionSet Options) : OptionType
{
    public override string Words => "an attribute set";
}

/// <summary>Either of two types.</summary>
internal sealed record EitherType(OptionType First, OptionType Second) : OptionType
{
    public override string Words => $"{First.Words} or {Second.Words}";
}

/// <summary>Any value.</summary>
internal sealed record AnyType : OptionType
{
    public override string Words => "any value";
}

/// <summary>One option: its name, type, default and what it is for.</summary>
/// <param name="Summary">Whole sentences, for the schema, the pages and the Nix modules.</param>
/// <param name="Default">As JSON, or words where it depends on other options; null where there is none.</param>
internal sealed record DeclaredOption(string Name, OptionType Type, string Summary, string? Default = null)
{
    /// <summary>A declaration without it is an error.</summary>
    public bool Required { get; init; }

    /// <summary>Null may be given. It means the same as leaving the option out, unless <see cref="NullIsAChoice"/>.</summary>
    public bool Nullable { get; init; }

    /// <summary>Null, written down, says something else than leaving the option out.</summary>
    public bool NullIsAChoice { get; init; }

    /// <summary>Belongs to the building of a NixOS image: accepted, and not looked at.</summary>
    public bool LeftAlone { get; init; }

    /// <summary>A value, as a Nix expression. Null for a set, and for a truth value whose default's opposite is the example.</summary>
    public string? Example { get; init; }

    /// <summary>What the option of the Nix module has that can't be told from the rest.</summary>
    public NixOption? Nix { get; init; }
}

/// <summary>An option of the Nix module, as far as it differs from what its row says. All texts are Nix expressions.</summary>
internal sealed record NixOption
{
    /// <summary>Like <c>types.lines</c>; null for the type that goes with the row's.</summary>
    public string? Type { get; init; }

    /// <summary>A default that is computed, over <c>config</c>, <c>cfg</c> (which is <c>config.microvm</c>), <c>hostName</c>
    /// and <c>pkgs</c>.</summary>
    public string? Default { get; init; }

    /// <summary>What is shown for a computed default, where that isn't its expression.</summary>
    public string? DefaultText { get; init; }

    /// <summary>It has to be given, though JSON may leave it out.</summary>
    public bool NoDefault { get; init; }

    /// <summary>For modules, not for people.</summary>
    public bool Internal { get; init; }

    /// <summary>It stands in <c>nix/modules/microvm/outputs.nix</c>.</summary>
    public bool ByHand { get; init; }
}

/// <summary>The options of one attribute set.</summary>
internal sealed class OptionSet
{
    private readonly Dictionary<string, DeclaredOption> _byName;

    public OptionSet(string path, params DeclaredOption[] options)
    {
        (Path, All) = (path, options);
        _byName = options.ToDictionary(o => o.Name);
        Required = [.. options.Where(o => o.Required)];
    }

    /// <summary>Where the set stands, like <c>microvm.interfaces.*</c>.</summary>
    public string Path { get; }

    public IReadOnlyList<DeclaredOption> All { get; }
    public IReadOnlyList<DeclaredOption> Required { get; }
    public DeclaredOption? Find(string name) => _byName.GetValueOrDefault(name);
}
