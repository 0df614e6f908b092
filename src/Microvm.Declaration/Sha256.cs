using System.Buffers.Binary;
using System.Numerics;

namespace Microvm.Declaration;

/// <summary>SHA-256 (FIPS 180-4) of a few bytes. .NET's own loads OpenSSL, which takes longer than all else that <c>up</c> does and may not be there.</summary>
internal static class Sha256
{
    /// <summary>The first 32 bits of the fractional parts of the cube roots of the first 64 primes, and of the square roots of the first 8.</summary>
    private static readonly uint[] s_rounds = Constants(64, Math.Cbrt), s_start = Constants(8, Math.Sqrt);

    /// <summary>The 32 bytes of the hash.</summary>
    public static byte[] HashData(ReadOnlySpan<byte> data)
    {
        var padded = new byte[(data.Length + 9 + 63) / 64 * 64];
        data.CopyTo(padded);
        padded[data.Length] = 0x80;
        BinaryPrimitives.WriteUInt64BigEndian(padded.AsSpan(padded.Length - 8), (ulong)data.Length * 8);
        Span<uint> hash = stackalloc uint[8], w = stackalloc uint[64], s = stackalloc uint[8];
        s_start.CopyTo(hash);
        for (var block = 0; block < padded.Length; block += 64)
        {
            for (var i = 0; i < 16; i++)
            {
                w[i] = BinaryPrimitives.ReadUInt32BigEndian(padded.AsSpan(block + 4 * i));
            }
            for (var i = 16; i < 64; i++)
            {
                var (a, b) = (w[i - 15], w[i - 2]);
                w[i] = w[i - 16] + w[i - 7]
                    + (BitOperations.RotateRight(a, 7) ^ BitOperations.RotateRight(a, 18) ^ a >> 3)
                    + (BitOperations.RotateRight(b, 17) ^ BitOperations.RotateRight(b, 19) ^ b >> 10);
            }
            hash.CopyTo(s);
            for (var i = 0; i < 64; i++)
            {
                var one = s[7] + (BitOperations.RotateRight(s[4], 6) ^ BitOperations.RotateRight(s[4], 11) ^ BitOperations.RotateRight(s[4], 25))
                    + (s[4] & s[5] ^ ~s[4] & s[6]) + s_rounds[i] + w[i];
                var two = (BitOperations.RotateRight(s[0], 2) ^ BitOperations.RotateRight(s[0], 13) ^ BitOperations.RotateRight(s[0], 22))
                    + (s[0] & s[1] ^ s[0] & s[2] ^ s[1] & s[2]);
                s[..7].CopyTo(s[1..]);
                s[4] += one;
                s[0] = one + two;
            }
            for (var i = 0; i < 8; i++)
            {
                hash[i] += s[i];
            }
        }
        var result = new byte[32];
        for (var i = 0; i < 8; i++)
        {
            BinaryPrimitives.WriteUInt32BigEndian(result.AsSpan(4 * i), hash[i]);
        }
        return result;
    }

    private static uint[] Constants(int count, Func<double, double> root) =>
        [.. Enumerable.Range(2, 400).Where(n => Enumerable.Range(2, n - 2).All(d => n % d != 0)).Take(count).Select(p => (uint)(ulong)(root(p) % 1 * 4294967296))];
}
