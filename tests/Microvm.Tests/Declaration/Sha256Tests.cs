using System.Security.Cryptography;
using CsCheck;
using Microvm.Declaration;

namespace Microvm.Tests.Declaration;

public sealed class Sha256Tests
{
    [Fact]
    public void It_is_SHA_256() =>
        Gen.Byte.Array[0, 300].Sample(data => Sha256.HashData(data).SequenceEqual(SHA256.HashData(data)));

    /// <summary>OpenSSL costs more time than all else that the binary does.</summary>
    [Fact]
    public void No_command_needs_OpenSSL()
    {
        using var folder = new Folder();
        var vm = folder.File("vm.json", """{"networking":{"hostName":"a"},"microvm":{"interfaces":[{"type":"tap","id":"vm-a1","mac":"02:00:00:00:00:01"}] } }""");
        var log = folder.File("log", "");
        using var ns = new Namespace();
        Assert.Equal(0, Binary.Run("strace", null, "-f", "-o", log, "-e", "trace=openat", Binary.Path, "up", "--netns", ns.Name, vm).Code);
        Assert.DoesNotContain("libssl", File.ReadAllText(log));
        Assert.DoesNotContain("libcrypto", File.ReadAllText(log));
    }
}
