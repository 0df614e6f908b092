namespace Microvm.Tests;

/// <summary>Damage as a fuzzer does it: from a seed, so that a finding can be had again.</summary>
internal static class Mutation
{
    private static readonly byte[] s_bytes = [0, 1, 3, 4, 0x0a, 0x22, 0x5c, 0x7b, 0x7d, 0x7f, 0x80, 0xc0, 0xff];

    /// <summary>The original with one to eight damages: flipped bits, telling values, pieces cut out, doubled, or taken from another.</summary>
    internal static byte[] Of(Random random, byte[] original, byte[] other)
    {
        var bytes = new List<byte>(original);
        for (var n = random.Next(1, 9); n > 0; n--)
        {
            var at = random.Next(bytes.Count + 1);
            var length = Math.Min(random.Next(1, 65), bytes.Count - at);
            switch (random.Next(7))
            {
                case 0 when at < bytes.Count: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 1 when at < bytes.Count: bytes[at] = s_bytes[random.Next(s_bytes.Length)]; break;
                case 2: bytes.RemoveRange(at, length); break;
                case 3 when bytes.Count < 65536: bytes.InsertRange(at, bytes.GetRange(at, length)); break;
                case 4 when bytes.Count < 65536 && other.Length > 0:
                    var from = random.Next(other.Length);
                    bytes.InsertRange(at, other.AsSpan(from, Math.Min(random.Next(1, 257), other.Length - from)));
                    break;
                case 5: bytes.RemoveRange(at, bytes.Count - at); break;
                // A length or a number of two bytes that lies.
                case 6 when at + 2 <= bytes.Count: BitConverter.TryWriteBytes(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(bytes)[at..], (ushort)random.Next(ushort.MaxValue + 1)); break;
            }
        }
        return [.. bytes];
    }

    /// <summary>How many: the named share by default, all with MICROVM_TEST_ALL.</summary>
    internal static int Count(int all, int share) => Environment.GetEnvironmentVariable("MICROVM_TEST_ALL") is { Length: > 0 } ? all : all / share;

    /// <summary>Notes a figure for the end of test.sh.</summary>
    internal static void Note(string line)
    {
        Directory.CreateDirectory(Path.Combine(Binary.Root, "out"));
        lock (s_bytes)
        {
            File.AppendAllText(Path.Combine(Binary.Root, "out", "fuzz.txt"), line + "\n");
        }
    }
}
