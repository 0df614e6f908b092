using System.Text;

namespace Microvm.Cli;

/// <summary>Names the keys in what a terminal sends: letters as themselves, others as up, pageup, f6, enter, escape, backspace.</summary>
internal static class KeyReader
{
    private static readonly (string Sequence, string Key)[] s_sequences =
    [
        ("[A", "up"), ("OA", "up"), ("[B", "down"), ("OB", "down"), ("[C", "right"), ("OC", "right"), ("[D", "left"), ("OD", "left"),
        ("[H", "home"), ("OH", "home"), ("[1~", "home"), ("[7~", "home"), ("[F", "end"), ("OF", "end"), ("[4~", "end"), ("[8~", "end"),
        ("[5~", "pageup"), ("[6~", "pagedown"), ("OP", "f1"), ("[11~", "f1"), ("[[A", "f1"), ("OS", "f4"), ("[14~", "f4"), ("[[D", "f4"),
        ("[15~", "f5"), ("[[E", "f5"), ("[17~", "f6"), ("[18~", "f7"), ("[21~", "f10"),
    ];

    internal static IReadOnlyList<string> Read(ReadOnlySpan<byte> bytes)
    {
        var text = Encoding.UTF8.GetString(bytes);
        var keys = new List<string>();
        for (var i = 0; i < text.Length;)
        {
            if (text[i] == '\e')
            {
                var rest = text[(i + 1)..];
                var (sequence, key) = s_sequences.FirstOrDefault(s => rest.StartsWith(s.Sequence, StringComparison.Ordinal));
                if (key is not null)
                {
                    keys.Add(key);
                    i += 1 + sequence.Length;
                    continue;
                }
                // A sequence of a key that is not known is skipped whole.
                var length = rest.StartsWith('[') ? 1 + rest.Skip(1).TakeWhile(c => c is < '@' or > '~').Count() + 1 : rest.StartsWith('O') ? 2 : 0;
                if (length == 0)
                {
                    keys.Add("escape");
                }
                i += 1 + length;
                continue;
            }
            keys.Add(text[i] switch
            {
                '\r' or '\n' => "enter",
                '\x7f' or '\b' => "backspace",
                '\t' => "tab",
                var c when char.IsControl(c) => "",
                var c => c.ToString(),
            });
            i++;
        }
        return keys;
    }
}
