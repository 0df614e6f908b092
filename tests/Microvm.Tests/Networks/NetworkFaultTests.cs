namespace Microvm.Tests;

/// <summary>Networks whose <c>up</c> ends in the middle, or meets another one.</summary>
public sealed class NetworkFaultTests
{
    private const string Home = "\"home\":{\"addresses\":[\"10.20.0.1/24\",\"fd00:20::1/64\"],\"domain\":\"home.internal\",\"egress\":{\"deny\":[\"private\"]}}";

    /// <summary>What changes the host or starts a program.</summary>
    private const string Effects = "sendto,sendmsg,renameat2,unlinkat,mkdirat,clone,clone3,vfork,write";

    /// <summary>How many points are tried; each takes about a second.</summary>
    private const int Points = 40;

    [Fact]
    public void An_up_that_is_killed_anywhere_is_finished_by_the_next_or_taken_down_without_a_trace()
    {
        using var host = new DeclaredHost();
        host.Outside();
        var vm = host.Declare("web", Home, DeclaredHost.Tap("vm-web", "home", "10.20.0.20"));
        var before = host.Inside("nft", "list", "ruleset") + host.Forwarding() + Names(host);
        var trace = host.Write("trace", "");
        Assert.Equal(0, Binary.Run("strace", null, "-o", trace, "-e", $"trace={Effects}", Binary.Path, "up", "--netns", host.Net.Name, vm).Code);
        var calls = File.ReadLines(trace).Count(l => l.Contains('(', StringComparison.Ordinal));
        Assert.True(calls > 20, $"{calls}");
        var whole = host.Inside("nft", "list", "ruleset") + host.Forwarding() + Names(host);
        host.Done("down", vm);
        var killed = 0;
        for (var (nth, point) = (1, 0); nth <= calls; nth += Math.Max(1, calls / Points), point++)
        {
            var outcome = Binary.Run("strace", null, "-o", "/dev/null", "-e", $"trace={Effects}", "-e", $"inject={Effects}:signal=KILL:when={nth}", Binary.Path, "up", "--netns", host.Net.Name, vm);
            killed += outcome.Code == 0 ? 0 : 1;
            // Every second time there is no other up before the end.
            if (point % 2 == 0)
            {
                var next = host.Microvm("up", vm);
                Assert.True(next.Code == 0, $"after the {nth}th call: {next.Out}{next.Err}");
                Assert.Equal(whole, host.Inside("nft", "list", "ruleset") + host.Forwarding() + Names(host));
                Assert.Contains("nothing to do", host.Done("up", vm));
                DeclaredHost.Until("its dnsmasq", () => host.HasService("home"));
            }
            var down = host.Microvm("down", vm);
            Assert.True(down.Code == 0, $"down after the {nth}th call: {down.Out}{down.Err}");
            Assert.Equal((nth, before), (nth, host.Inside("nft", "list", "ruleset") + host.Forwarding() + Names(host)));
            Assert.False(host.HasFolders, $"after the {nth}th call");
        }
        Assert.True(killed > 10, $"{killed} of {calls}");
    }

    private static string Names(DeclaredHost host) => string.Join(' ', System.Text.Json.JsonDocument.Parse(host.Net.Ip("-j", "link")).RootElement.EnumerateArray().Select(l => l.GetProperty("ifname").GetString()).Order(StringComparer.Ordinal));

    [Fact]
    public void Two_ups_at_once_make_one_network_with_both_vms()
    {
        using var host = new DeclaredHost();
        host.Outside();
        string[] vms = [.. Enumerable.Range(0, 4).Select(i => host.Declare($"vm{i}", Home, DeclaredHost.Tap($"vm-{i}", "home")))];
        var outcomes = new Binary.Outcome[vms.Length];
        Parallel.For(0, vms.Length, new() { MaxDegreeOfParallelism = vms.Length }, i => outcomes[i] = host.Microvm("up", vms[i]));
        Assert.All(outcomes, o => Assert.True(o.Code == 0, o.Out + o.Err));
        Assert.Contains("nothing to do", host.Done("up", vms));
        Assert.Equal(vms.Length, Directory.GetFiles($"{host.FolderOf("home")}/reservations").Length);
        Parallel.For(0, vms.Length, new() { MaxDegreeOfParallelism = vms.Length }, i => outcomes[i] = host.Microvm("down", vms[i]));
        Assert.All(outcomes, o => Assert.True(o.Code == 0, o.Out + o.Err));
        Assert.False(host.HasFolders);
        Assert.Equal("", host.Inside("nft", "list", "ruleset"));
    }
}
