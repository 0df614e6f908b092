namespace Microvm.Declaration;

/// <summary>Words for a person to paste into a shell.</summary>
internal static class Shell
{
    /// <summary>The bash for scripts with lines that people wrote for one: Debian's, NixOS's, or what there is.</summary>
    public static string Bash { get; } = ((string[])["/bin/bash", "/usr/bin/bash", "/run/current-system/sw/bin/bash"]).FirstOrDefault(File.Exists) ?? "/bin/sh";

    /// <summary>The word as it is where it is harmless, else in single quotes (POSIX 2.2.2).</summary>
    public static string Quote(string word) =>
        word.Length > 0 && word.All(c => char.IsAsciiLetterOrDigit(c) || "-_./:,=@+".Contains(c)) ? word : $"'{word.Replace("'", "'\\''")}'";
}
