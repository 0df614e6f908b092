using System.Globalization;
using System.Runtime.InteropServices;

namespace Microvm.Linux;

/// <summary>A user of this host, as the user database has it (passwd(5), or whatever nsswitch.conf(5) names).</summary>
/// <param name="Group">The id of the primary group.</param>
internal sealed unsafe record PosixUser(string Name, uint Id, uint Group, string Home)
{
    /// <summary>The user of that name, or else of that number; null where there is none.</summary>
    public static PosixUser? Find(string name)
    {
        var found = Libc.getpwnam(name);
        if (found == null && uint.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var id))
        {
            found = Libc.getpwuid(id);
        }
        return found == null ? null : new(Text(found->Name), found->User, found->Group, Text(found->Home));
    }

    private static string Text(byte* text) => Marshal.PtrToStringUTF8((nint)text) ?? "";
}

/// <summary>struct passwd (getpwnam(3)) of 64-bit Linux.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct PasswordEntry
{
    internal byte* Name;
    internal byte* Password;
    internal uint User;
    internal uint Group;
    internal byte* Comment;
    internal byte* Home;
    internal byte* Shell;
}
