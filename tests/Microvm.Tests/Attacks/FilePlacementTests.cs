using System.Text.RegularExpressions;

namespace Microvm.Tests.Attacks;

/// <summary>Files and directories are made, replaced and removed below a held directory (HeldFolder), and in no other way.</summary>
public sealed partial class FilePlacementTests
{
    /// <summary>Who may open a file for writing otherwise, and why.</summary>
    private static readonly (string File, string Call, string Why)[] s_allowed =
    [
        ("src/Microvm.Linux/HeldFolder.cs", "FileStream(", "the descriptor that openat(2) gave"),
        ("src/Microvm.Linux/NamedFile.cs", "File.Open(", "a pipe, a device or a file that a person named, opened with that person's rights"),
        ("src/Microvm.Linux/NamedFile.cs", "FileMode.Create", "the same"),
        ("src/Microvm.Cli/BoundedInput.cs", "FileStream(", "only reads"),
        ("src/Microvm.Host/Accelerator.cs", "File.Open(", "/dev/kvm, only to see whether it can be"),
        ("src/Microvm.Cli/Guests/DebianDisk.cs", "File.SetUnixFileMode(", "in a directory of mode 0700 that this process made"),
        ("src/Microvm.Cli/Guests/DebianDisk.cs", "File.OpenWrite(", "the same"),
        ("src/Microvm.Host/Run/UserNetworkCompanion.cs", "Directory.CreateTempSubdirectory(", "mkdtemp(3): a name of its own, for its owner alone"),
    ];

    [GeneratedRegex(@"\b(File\.(Write\w*|Append\w*|Create\w*|Open|OpenWrite|Move|Copy|Delete|Replace|SetUnixFileMode)\(|Directory\.(Create\w*|Delete|Move)\(|FileMode\.(Create\w*|OpenOrCreate|Append|Truncate)|\bFileStream\(|StreamWriter\(""|Path\.GetTempFileName|new DirectoryInfo\(.*\)\.(Create|Delete|MoveTo)|Libc\.(rename|mknod|mkdir|unlink|symlink)\()")]
    private static partial Regex Placing { get; }

    [Fact]
    public void There_is_one_way_to_put_a_file_in_place()
    {
        var others = new List<string>();
        foreach (var file in Directory.EnumerateFiles(Path.Combine(Binary.Root, "src"), "*.cs", SearchOption.AllDirectories).Where(f => !f.Contains("/obj/") && !f.Contains("/bin/")))
        {
            var path = Path.GetRelativePath(Binary.Root, file);
            foreach (var (index, line) in File.ReadLines(file).Index())
            {
                if (Placing.Match(line) is { Success: true } match && !line.TrimStart().StartsWith("//", StringComparison.Ordinal)
                    && !s_allowed.Any(a => a.File == path && match.Value.StartsWith(a.Call.TrimEnd('('), StringComparison.Ordinal)))
                {
                    others.Add($"{path}:{index + 1}: {line.Trim()}");
                }
            }
        }
        Assert.True(others.Count == 0, string.Join('\n', others));
    }
}
