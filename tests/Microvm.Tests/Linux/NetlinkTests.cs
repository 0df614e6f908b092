using CsCheck;
using Microvm.Linux;

namespace Microvm.Tests;

/// <summary>The message writer and readers, against each other and against bytes that no kernel would send.</summary>
[Trait("needs", "nothing")]
public sealed class NetlinkTests
{
    private static readonly Gen<(ushort Type, byte[] Value)[]> s_attributes =
        Gen.Select(Gen.UShort[1, 0x3fff], Gen.Byte.Array[0, 40]).Select((type, value) => (type, value)).Array[0, 20];

    [Fact]
    public void Attributes_are_read_as_they_were_written_whatever_is_written_around_them() => s_attributes.Sample(attributes =>
    {
        var writer = new NetlinkWriter();
        writer.Begin(16, 1, 7).IfInfo(3).End();
        var start = writer.Length;
        writer.Begin(16, 1, 8).IfInfo(3);
        var nested = writer.Open(99);
        foreach (var (type, value) in attributes)
        {
            writer.Attribute(type, value);
        }
        writer.Close(nested).End();
        var message = writer.Written[start..];
        Assert.Equal(0, message.Length % 4);
        Assert.Equal(message.Length, BitConverter.ToInt32(message));
        var outer = new AttributeReader(message[32..]);
        Assert.True(outer.Read());
        Assert.Equal(99, outer.Type);
        var inner = new AttributeReader(outer.Value);
        foreach (var (type, value) in attributes)
        {
            Assert.True(inner.Read());
            Assert.Equal(type, inner.Type);
            Assert.True(inner.Value.SequenceEqual(value));
        }
        Assert.False(inner.Read());
        Assert.False(outer.Read());
    });

    [Fact]
    public void Any_bytes_are_read_to_their_end() => Gen.Byte.Array[0, 300].Sample(bytes =>
    {
        var reader = new AttributeReader(bytes);
        var read = 0;
        while (reader.Read())
        {
            read += 4;
            _ = (reader.UInt32, reader.Byte, reader.Text);
        }
        Assert.True(read <= bytes.Length);
        _ = Link.Parse(bytes);
    }, iter: 20_000);

    [Fact]
    public void Writing_after_the_first_time_allocates_nothing()
    {
        var batch = new RouteBatch();
        void Fill()
        {
            for (var n = 0; n < 100; n++)
            {
                batch.NoQueue(n, "vm-a1").Mark(n, "vm-a1", "microvm:a/vm-a1", 7, 3).SetUp(n, "vm-a1", true).Redirect(n, "vm-a1", 4).Delete(n, "vm-a1");
            }
            batch.Clear();
        }
        Fill();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Fill();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
