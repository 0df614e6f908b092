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
/// <param name="Default">As JSON, or words where it depends on other options; null where there is none.</param>
internal sealed record DeclaredOption(string Name, OptionType Type, string Summary, string? Default = null)
{
    /// <summary>A declaration without it is an error.</summary>
    public bool Required { get; init; }

    /// <summary>Null may be given. But for a tap's <c>bridge</c> it means the same as leaving it out.</summary>
    public bool Nullable { get; init; }

    /// <summary>Belongs to the building of a NixOS image: accepted, and not looked at.</summary>
    public bool LeftAlone { get; init; }
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
