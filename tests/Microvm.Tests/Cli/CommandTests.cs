using System.Text.Json;
using CsCheck;
using Microvm.Declaration;
using Microvm.Host;

namespace Microvm.Tests;

public sealed class CommandTests : IDisposable
{
    private readonly Folder _folder = new();
    public void Dispose() => _folder.Dispose();

    private string[] Words(string more, string interfaces)
    {
        var file = _folder.File("vm.json", $$"""{"networking":{"hostName":"a"},"microvm":{"kernel":"/boot/my kernel",{{more}}"interfaces":[{{interfaces}}] } }""");
        var outcome = Binary.Microvm("command", "--json", file);
        Assert.True(outcome.Code == 0, outcome.Err);
        return [.. JsonDocument.Parse(outcome.Out).RootElement.EnumerateArray().Select(w => w.GetString()!)];
    }

    [Theory]
    [InlineData("microvm", 1, "virtio-net-device,netdev=vm-a1,mac=02:00:00:00:00:01")]
    [InlineData("microvm", 2, "virtio-net-device,netdev=vm-a1,mac=02:00:00:00:00:01,mq=on")]
    [InlineData("q35", 2, "virtio-net-pci,netdev=vm-a1,mac=02:00:00:00:00:01,romfile=,mq=on,vectors=6")]
    public void The_queue_mode_follows_the_vcpus(string machine, int vcpu, string device)
    {
        var words = Words($$"""  "vcpu":{{vcpu}},"qemu":{"machine":"{{machine}}"},""", """{"type":"tap","id":"vm-a1","mac":"02:00:00:00:00:01"}""");
        Assert.Contains(device, words);
        Assert.Contains($"tap,id=vm-a1,ifname=vm-a1,script=no,downscript=no{(vcpu > 1 ? $",queues={vcpu}" : "")}", words);
        Assert.Contains("a,process=microvm@a", words);
        Assert.Contains("/boot/my kernel", words);
    }

    [Fact]
    public void A_comma_in_an_id_stays_inside_its_option() =>
        Assert.Contains("tap,id=net0,ifname=a,,b,script=no,downscript=no", Words("", """{"type":"tap","id":"a,b","mac":"02:00:00:00:00:01"}"""));

    [Fact]
    public void Forwarded_ports_stand_on_the_user_netdev() =>
        Assert.Contains("user,id=u,hostfwd=tcp::2222-:22",
            Words("""  "forwardPorts":[{"host":{"port":2222},"guest":{"port":22}}],""", """{"type":"user","id":"u","mac":"02:00:00:00:00:01"}"""));

    [Fact]
    public void A_quoted_word_comes_back_from_a_real_shell_as_it_was() => Gen.String[Gen.Char[' ', '~'], 0, 40].Sample(
        word => Assert.Equal(word, Binary.Run("sh", null, "-c", $"printf %s {Shell.Quote(word)}").Out), iter: 50);
}
