using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Host;

/// <summary>What the administrator says of this host in a file of root's: lines of <c>NAME = VALUE</c>, <c>#</c> before a comment.</summary>
internal static class HostSettings
{
    internal const string File = "/etc/microvm.conf";
    private const int MostBytes = 64 * 1024;

    /// <summary>Its <c>stateDir</c>, an absolute path; null where it has none, or there is no such file.</summary>
    /// <exception cref="IOException">Others than root could have written the file, or it holds something else.</exception>
    internal static string? StateDirectory(string path)
    {
        if (FileStatus.OfTarget(path) is not { } status)
        {
            return null;
        }
        if (!status.IsRegular || status.Size > MostBytes || FileStatus.OpenToOthers(path) is not null)
        {
            throw new IOException($"{path} is not read: others than root could change {FileStatus.OpenToOthers(path) ?? "it, or it is no file of settings"}; give it to root: sudo chown root {path} && sudo chmod go-w {path}");
        }
        string? found = null;
        foreach (var (index, line) in System.IO.File.ReadLines(path).Index())
        {
            var text = line.Trim();
            if (text.Length == 0 || text[0] == '#')
            {
                continue;
            }
            found = text.Split('=', 2, StringSplitOptions.TrimEntries) is ["stateDir", var value] && value.StartsWith('/') && value.All(c => char.IsAsciiLetterOrDigit(c) || "/-_.+@".Contains(c)) ? value
                : throw new IOException($"{path}:{index + 1}: '{Printable.Of(text)}' is no setting; there is stateDir = /DIR, an absolute path of letters, digits and / - _ . + @");
        }
        return found;
    }
}
