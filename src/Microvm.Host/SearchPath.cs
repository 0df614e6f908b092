namespace Microvm.Host;

/// <summary>Where execvp(3) looks for programs: the folders of PATH.</summary>
internal static class SearchPath
{
    internal static IReadOnlyList<string> Folders => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Where a program is, or null.</summary>
    internal static string? Find(string program) => Folders.Select(d => Path.Combine(d, program)).FirstOrDefault(File.Exists);
}
