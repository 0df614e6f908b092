using BenchmarkDotNet.Attributes;
using Microvm.Linux;

namespace Microvm.Micro;

/// <summary>One message: what a link costs to be asked for and to be read. The memory column has to say that writing and walking allocate nothing.</summary>
[MemoryDiagnoser]
public class NetlinkMessages
{
    private readonly RouteBatch _batch = new();
    private byte[] _link = [];

    /// <summary>Grows the writer's buffer, and writes a link as the kernel tells one.</summary>
    [GlobalSetup]
    public void Prepare()
    {
        Write();
        var writer = new NetlinkWriter();
        writer.IfInfo(42, 1).Attribute(3, "vm-a1").Attribute(20, "microvm:a:vm-a1").Attribute(27, 4242u).Attribute(4, 1500u).Attribute(1, (byte[])[2, 0, 0, 0, 0, 1]);
        var info = writer.Open(18);
        writer.Attribute(1, "tun");
        var data = writer.Open(2);
        writer.Attribute(1, 1000u).Close(data).Close(info);
        _link = writer.Written.ToArray();
    }

    /// <summary>The three requests that a new tap needs.</summary>
    [Benchmark]
    public int Write()
    {
        _batch.Clear();
        _batch.NoQueue(42, "vm-a1").Mark(42, "vm-a1", "microvm:a:vm-a1", 4242).SetUp(42, "vm-a1", true);
        return _batch.Count;
    }

    /// <summary>Every attribute of one link, without making a link of it.</summary>
    [Benchmark]
    public uint Walk()
    {
        var sum = 0u;
        var reader = new AttributeReader(_link.AsSpan(16));
        while (reader.Read())
        {
            sum += reader.UInt32;
        }
        return sum;
    }

    /// <summary>A link from its message: what is allocated is the link itself and its texts.</summary>
    [Benchmark]
    public Link? Parse() => Link.Parse(_link);
}
