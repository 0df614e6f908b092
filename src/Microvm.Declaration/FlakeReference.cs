namespace Microvm.Declaration;

/// <summary>How a flake is named: a URL, or a folder of this machine, perhaps with a scheme in front and a query behind.</summary>
internal static class FlakeReference
{
    private static readonly string[] s_local = ["git+file://", "path:"];

    /// <summary>The path that a reference to a flake on this machine names; of any other reference, something that is no path there.</summary>
    /// <param name="reference">With or without <c>#NAME</c>.</param>
    internal static string Path(string reference)
    {
        var path = reference.IndexOf('#') is >= 0 and var at ? reference[..at] : reference;
        foreach (var scheme in s_local)
        {
            path = path.StartsWith(scheme, StringComparison.Ordinal) ? path[scheme.Length..] : path;
        }
        return path.Split('?')[0];
    }
}
