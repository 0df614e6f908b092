using System.Buffers.Binary;
using System.Text;

namespace Microvm.Linux;

/// <summary>One step of a rule.</summary>
internal interface IFirewallExpression
{
    /// <summary>Does what the kernel does with a frame, as far as that is known; says whether the rule goes on.</summary>
    Match Run(FirewallMachine machine);
}

/// <summary>What a rule works on: the registers of nf_tables, with what is known of each byte, and the verdict.</summary>
/// <param name="family">NFPROTO_* of the table.</param>
/// <param name="set">A set of the rule's table by its name; null where it can't be read or is not of single values.</param>
internal sealed class FirewallMachine(FirewallFrame frame, byte family, Func<string, FirewallSet?> set)
{
    private const int Size = 4 * 20;
    private readonly byte[] _bytes = new byte[Size];
    private readonly bool[] _known = new bool[Size];

    public FirewallFrame Frame => frame;
    public byte Family => family;
    public FirewallSet? Set(string name) => set(name);

    /// <summary>What the rule may decide; none where it decides nothing, and more than one where it hangs on what is not known.</summary>
    public List<FirewallVerdict> Verdicts { get; } = [];

    /// <summary>The value of so many bytes in a register; null where any of them is not known.</summary>
    public byte[]? Read(uint register, int length) =>
        At(register) is { } at && at + length <= Size && _known.AsSpan(at, length).IndexOf(false) < 0 ? _bytes[at..(at + length)] : null;

    /// <summary>Puts a value into a register; null for one that is not known.</summary>
    public void Write(uint register, byte[]? value)
    {
        if (At(register) is not { } at)
        {
            return;
        }
        // As in the kernel a value fills whole words, with zeroes behind it.
        var length = Math.Min(value is null ? 16 : value.Length + 3 & ~3, Size - at);
        _bytes.AsSpan(at, length).Clear();
        _known.AsSpan(at, length).Fill(value is not null);
        value?.AsSpan(0, Math.Min(value.Length, length)).CopyTo(_bytes.AsSpan(at));
    }

    /// <summary>A link's name as a register holds it: 16 bytes, with zeroes behind it.</summary>
    public static byte[]? Name(string? link)
    {
        if (link is null)
        {
            return null;
        }
        var text = new byte[16];
        Encoding.UTF8.GetBytes(link.AsSpan(), text.AsSpan(0, 15));
        return text;
    }

    /// <summary>A link's index as a register holds it.</summary>
    public byte[]? Index(string? link) => link is null ? null : Number(link.Length == 0 ? 0 : (uint)frame.Indexes.GetValueOrDefault(link, FirewallFrame.NoIndex));

    public static byte[] Number(uint number)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, number);
        return bytes;
    }

    // enum nft_registers: 1 to 4 are of sixteen bytes, 8 on of four, over the same memory; the verdict has the first sixteen.
    private static int? At(uint register) => register switch
    {
        >= 1 and <= 4 => (int)register * 16,
        >= 8 and <= 23 => 16 + (int)(register - 8) * 4,
        _ => null,
    };
}
