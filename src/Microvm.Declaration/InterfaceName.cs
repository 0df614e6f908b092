using System.Text;

namespace Microvm.Declaration;

/// <summary>A network interface name that Linux accepts (<c>dev_valid_name()</c> in net/core/dev.c).</summary>
public readonly record struct InterfaceName
{
    /// <summary>IFNAMSIZ without the terminating zero.</summary>
    public const int MaxBytes = 15;

    /// <summary>The name.</summary>
    public string Value { get; }
    private InterfaceName(string value) => Value = value;

    /// <summary>The name.</summary>
    public override string ToString() => Value;

    /// <summary>Takes a name, or says in <paramref name="why"/> what Linux would refuse.</summary>
    public static bool TryParse(string text, out InterfaceName name, out string why)
    {
        name = default;
        var bytes = Encoding.UTF8.GetByteCount(text);
        why = text switch
        {
            "" => "it is empty",
            "." or ".." => "Linux reserves it",
            // sysctl_dev_name_is_allowed() in net/ipv4/devinet.c.
            "all" or "default" => "Linux keeps it for the settings of all interfaces (/proc/sys/net)",
            _ when bytes > MaxBytes => $"it has {bytes} bytes and Linux allows {MaxBytes}",
            _ when text.Contains('/') => "it has a '/'",
            _ when text.Contains(':') => "it has a ':'",
            _ when text.Contains('%') => "it has a '%', which the kernel reads as a template",
            _ when text.Any(c => char.IsWhiteSpace(c) || c == '\u00a0') => "it has white space",
            _ when text.Any(char.IsControl) => "it has a control character",
            _ => "",
        };
        // The kernel tests bytes with isspace(), which counts 0xA0 in Latin-1: such a byte inside a UTF-8 sequence is refused too.
        if (why.Length == 0 && Encoding.UTF8.GetBytes(text).Contains((byte)0xA0))
        {
            why = "it has a byte 0xA0, which the kernel takes for white space";
        }
        if (why.Length > 0)
        {
            return false;
        }
        name = new(text);
        return true;
    }
}
