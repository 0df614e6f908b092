namespace Microvm.Nix;

/// <summary>What a caller may change about an evaluation. By default it uses no network, and no arguments but those that a flake gives.</summary>
public sealed record NixOptions
{
    /// <summary>No network, no arguments.</summary>
    public static NixOptions Standard { get; } = new();

    /// <summary>Whether nix may use the network, the caller's PATH (git, ssh) and the real store, to fetch a flake and its inputs.</summary>
    public bool Online { get; init; }

    /// <summary>Whether a VM is to be started: then the kernel, initial ramdisk, store disk and kernel parameters that a flake's NixOS would
    /// build are part of the declaration, where it does not name its own. It costs the evaluation of the whole guest.</summary>
    public bool Boots { get; init; }

    /// <summary>Arguments for the modules of a declaration, and of what they import, that nobody else gives.</summary>
    public IReadOnlyList<NixArgument> Arguments { get; init; } = [];

    /// <summary>What is set in nix's environment besides, where it may use the network: how it reaches a store, say.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>A program and its first arguments that is started in the place of nix, with nix's own command line after them: it is to end
    /// with us, to give up what it may do, and to become nix. Without one nix is started as it is.</summary>
    public IReadOnlyList<string> Guard { get; init; } = [];
}

/// <summary>One argument, as nix's own <c>--arg</c> and <c>--argstr</c> have it.</summary>
/// <param name="Name">The name by which modules ask for it.</param>
/// <param name="Value">A Nix expression, or a text.</param>
/// <param name="IsText">Whether the value is a text rather than an expression.</param>
public sealed record NixArgument(string Name, string Value, bool IsText)
{
    /// <summary>The attribute set of some arguments, as a Nix expression.</summary>
    public static string Set(IEnumerable<NixArgument> arguments) => $"{{ {string.Join(' ', arguments.Select(a => $"{Text(a.Name)} = {a.ToNix()};"))} }}";

    internal string ToNix() => IsText ? Text(Value) : $"(\n{Value}\n)";

    /// <summary>A Nix string: backslash, quote and <c>${</c> need a backslash.</summary>
    internal static string Text(string value) =>
        $"\"{value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("${", "\\${", StringComparison.Ordinal)}\"";
}
