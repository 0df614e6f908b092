namespace Microvm.Declaration;

/// <summary>Options that somebody sets for an effect, and that have none here. What is about building the guest's NixOS image is not among
/// them: nobody expects it of a tool that builds none.</summary>
internal static class WithoutEffect
{
    /// <summary>Those of a declaration, with those of a host's VMs, each with its place.</summary>
    internal static IEnumerable<(string Name, SourcePosition At)> Of(ObjectNode declaration)
    {
        if (declaration["microvm"] is not ObjectNode microvm)
        {
            yield break;
        }
        foreach (var option in microvm.Set("host")?.Members.Where(m => m.Name != "enable") ?? [])
        {
            yield return ($"microvm.host.{Printable.Of(option.Name)}", option.At);
        }
        foreach (var vm in (microvm["vms"] as ObjectNode)?.Members.Select(m => m.Value).OfType<ObjectNode>() ?? [])
        {
            if (vm["nixpkgs"] is { } nixpkgs and not NullNode)
            {
                yield return ("microvm.vms.*.nixpkgs", nixpkgs.At);
            }
            foreach (var one in (vm["config"] ?? vm["evaluated"]) is ObjectNode config ? Of(config) : [])
            {
                yield return one;
            }
        }
    }
}
