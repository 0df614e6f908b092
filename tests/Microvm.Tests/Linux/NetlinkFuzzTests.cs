using System.Diagnostics;
using Microvm.Linux;

namespace Microvm.Tests.Linux;

/// <summary>A million damaged netlink messages: no crash, no hang, no memory without bounds.</summary>
public sealed class NetlinkFuzzTests
{
    /// <summary>What one datagram of at most 64 KiB may make the reader allocate: text is at most three times its bytes, and each message a record.</summary>
    private const long MostAllocated = 4 * 1024 * 1024;

    [Fact]
    public void Damaged_messages_are_read_or_passed_over()
    {
        var corpus = Corpus();
        Assert.True(corpus.Count > 2 && corpus.Sum(m => m.Length) > 4000);
        var links = 0;
        var original = 0;
        corpus.ForEach(m => LinkMonitor.Read(m, e => original++));
        Assert.True(original >= 6, "the kernel's own answers are understood");
        var count = 1_000_000;
        var most = 0L;
        var longest = TimeSpan.Zero;
        var clock = Stopwatch.StartNew();
        for (var seed = 0; seed < count; seed++)
        {
            var random = new Random(seed);
            var message = Mutation.Of(random, corpus[random.Next(corpus.Count)], corpus[random.Next(corpus.Count)]);
            var before = GC.GetAllocatedBytesForCurrentThread();
            var from = clock.Elapsed;
            try
            {
                LinkMonitor.Read(message, e => links++);
                if (message.Length > 16)
                {
                    _ = Link.Parse(message.AsSpan(16));
                }
            }
            catch (Exception e)
            {
                Assert.Fail($"seed {seed}: {e}");
            }
            longest = clock.Elapsed - from is var took && took > longest ? took : longest;
            most = Math.Max(most, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        Assert.True(links > count / 10, $"only {links} links were read: the damage hides the reader");
        Assert.True(most < MostAllocated, $"{most} bytes for one datagram");
        Assert.True(longest < TimeSpan.FromSeconds(5), $"{longest} for one datagram");
        Mutation.Note($"netlink: {count:N0} damaged datagrams, {links:N0} links read in them, at most {most / 1024} KiB allocated for one, {clock.Elapsed.TotalSeconds:0.0} s");
    }

    /// <summary>Real answers: links of every kind that we read, each in a datagram of its own.</summary>
    private static List<byte[]> Corpus()
    {
        using var ns = new Namespace();
        ns.Ip("link", "add", "br0", "type", "bridge");
        ns.Ip("tuntap", "add", "tap0", "mode", "tap", "multi_queue", "user", "1000", "group", "1000");
        ns.Ip("link", "set", "tap0", "master", "br0", "alias", "microvm:a/tap0", "group", "7");
        ns.Ip("link", "add", "v0", "type", "veth", "peer", "name", "v1");
        ns.Ip("link", "add", "link", "v0", "name", "m0", "type", "macvtap", "mode", "bridge");
        ns.Ip("link", "add", "link", "v0", "name", "m1", "type", "macvlan", "mode", "private");
        List<byte[]> answers = [];
        // A thread of its own, since it stays in the namespace.
        var thread = new Thread(() =>
        {
            NetworkNamespace.Enter(ns.Name);
            answers = RawDump.Links();
        });
        thread.Start();
        thread.Join();
        var single = new List<byte[]>();
        foreach (var answer in answers)
        {
            for (var at = 0; at + 16 <= answer.Length;)
            {
                var length = BitConverter.ToInt32(answer, at);
                single.Add(answer[at..(at + length)]);
                at += length + 3 & ~3;
            }
        }
        return [.. answers, .. single];
    }
}
