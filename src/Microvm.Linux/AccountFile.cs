using System.Globalization;

namespace Microvm.Linux;

/// <summary>The host's own users and groups, without the services that nsswitch.conf(5) may name besides: <see cref="PosixUser"/> asks those too.</summary>
internal static class AccountFile
{
    /// <summary>passwd(5): name, password, user, group, comment, home, shell.</summary>
    internal const string Users = "/etc/passwd";

    /// <summary>group(5): name, password, group, members.</summary>
    internal const string Groups = "/etc/group";

    /// <summary>The fields of each line that has as many as the file's format asks for.</summary>
    internal static IEnumerable<string[]> Entries(string file) => File.ReadLines(file).Select(l => l.Split(':')).Where(f => f.Length > 3);

    /// <summary>The number of a name, which both files have in their third field; null where the name is not in it, or its line holds no number.</summary>
    internal static uint? Number(string file, string name) =>
        Entries(file).FirstOrDefault(f => f[0] == name) is { } entry && uint.TryParse(entry[2], NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number : null;

    /// <summary>A user or group for a person: <c>alice (1000)</c>, or the number alone where it has no name or the file can't be read.</summary>
    internal static string Words(string file, uint number)
    {
        var text = number.ToString(CultureInfo.InvariantCulture);
        try
        {
            return Entries(file).FirstOrDefault(f => f[2] == text) is [var name, ..] ? $"{name} ({text})" : text;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return text;
        }
    }
}
