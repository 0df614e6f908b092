using System.Runtime.InteropServices;
using System.Text;

namespace Microvm.Screens;

/// <summary>How many cells a character takes, by the C library, which is nobody's guess but the system's.</summary>
internal static partial class CharacterWidth
{
    private const int LC_CTYPE = 0;
    private static readonly bool s_ready = setlocale(LC_CTYPE, "C.UTF-8") != 0;

    internal static int Of(Rune rune) => rune.IsAscii || !s_ready ? 1 : Math.Max(0, wcwidth(rune.Value));

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)] private static partial nint setlocale(int category, string locale);
    [LibraryImport("libc")] private static partial int wcwidth(int character);
}
