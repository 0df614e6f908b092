using System.Text;

namespace Microvm.Declaration;

/// <summary>A network interface name that Linux accepts (<c>dev_valid_name()</c> in net/core/dev.c).</summary>
public readonly record struct InterfaceName
{
    /// <summary>IFNAMSIZ without the terminating zero.</summary>
    public const int MaxBytes = 15;

    /// <summary>ALTIFNAMSIZ without the terminating zero: the most that a second name of a device (<c>ip link property add … altname</c>) may have.</summary>
    public const int MaxAltnameBytes = 127;

    /// <summary>The name.</summary>
    public string Value { get; }
    private InterfaceName(string value) => Value = value;

    /// <summary>The name.</summary>
    public override string ToString() => Value;

    /// <summary>Takes the name of a link that is to be made, or says in <paramref name="why"/> what Linux would refuse.</summary>
    public static bool TryParse(string text, out InterfaceName name, out string why) => TryParse(text, MaxBytes, out name, out why);

    /// <summary>Takes the name or the altname of a device of the host, or says in <paramref name="why"/> why none can have it.</summary>
    public static bool TryParseOfDevice(string text, out InterfaceName name, out string why) => TryParse(text, MaxAltnameBytes, out name, out why);

    private static bool TryParse(string text, int most, out InterfaceName name, out string why)
    {
        name = default;
        var bytes = Encoding.UTF8.GetByteCount(text);
        why = text switch
        {
            "" => "it is empty",
            "." or ".." => "Linux reserves it",
            // sysctl_dev_name_is_allowed() in net/ipv4/devinet.c.
            "all" or "default" => "Linux keeps it for the settings of all interfaces (/proc/sys/net)",
            // A file of that name stands among the links in /sys/class/net where the bonding driver is (bond_create_sysfs()): register_netdevice() says EEXIST.
            "bonding_masters" => "Linux keeps it for a file beside the interfaces (/sys/class/net/bonding_masters)",
            _ when bytes > most => $"it has {bytes} bytes and Linux allows {most}",
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
