using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network;
using Microvm.Network.Applying;

namespace Microvm.Tests;

/// <summary>What was done is undone, whatever the reason and whatever else fails, and no refusal goes unseen.</summary>
public sealed class UndoTests : IDisposable
{
    private static readonly Attachment s_pair = NetworkHost.Attach("a", "vm-a1", AttachmentKind.TapRedirect, "eth0", MacvtapMode.Bridge);
    private readonly NetworkHost _host = new();
    public void Dispose() => _host.Dispose();

    private string Tc(params string[] words)
    {
        var outcome = Binary.Run("tc", null, ["-n", _host.Net.Name, .. words]);
        Assert.True(outcome.Code == 0, outcome.Err);
        return outcome.Out;
    }

    /// <summary>Applies the plan for the attachments, and fails once all is done.</summary>
    private T Fails<T>(Func<Exception> why, params Attachment[] attachments) where T : Exception => Assert.ThrowsAny<T>(() => _host.Inside(route =>
    {
        IReadOnlyList<DesiredLink> wanted = [.. DesiredLink.Of(attachments, null, null)];
        var state = HostState.Read(route, wanted);
        var plan = Plan.ForUp(wanted, state);
        Assert.Empty(plan.Refusals);
        Assert.True(plan.HasChanges);
        new Applier(route).Apply(plan, state, () => throw why());
        return 0;
    }));

    private static Attachment Tap(string vm, string id, int queuePairs = 1) =>
        new(vm, NetworkHost.Attach(vm, id, AttachmentKind.TapByFd, "eth0", MacvtapMode.Bridge).Interface with { Type = InterfaceType.Tap, MacvtapLink = null }, AttachmentKind.TapByFd, queuePairs);

    public static TheoryData<string> Kinds => ["InvalidOperation", "NullReference", "OutOfMemory", "KeyNotFound", "Linux", "IO"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_kind_of_exception_is_followed_by_the_undo(string kind)
    {
        _host.Up(Tap("a", "gone"), Tap("a", "replaced"), Tap("a", "changed"));
        _host.Net.Ip("link", "set", "changed", "down");
        var before = _host.Picture();
        Exception Why() => kind switch
        {
            "InvalidOperation" => new InvalidOperationException("x"),
            "NullReference" => new NullReferenceException("x"),
            "OutOfMemory" => new InsufficientMemoryException("x"),
            "KeyNotFound" => new KeyNotFoundException("x"),
            "IO" => new IOException("x"),
            _ => new LinuxException("x", 5),
        };
        Assert.Equal(Why().GetType(), Fails<Exception>(Why, Tap("a", "replaced", 2), Tap("a", "changed"), Tap("a", "new")).GetType());
        Assert.Equal(before, _host.Picture());
    }

    [Fact]
    public void A_way_back_that_fails_keeps_no_other_from_being_taken()
    {
        _host.Up(Tap("a", "first"), Tap("a", "second"), Tap("b", "third"));
        _host.Net.Ip("link", "set", "first", "name", "elsewhere");
        foreach (var link in (string[])["elsewhere", "second", "third"])
        {
            _host.Net.Ip("link", "set", link, "down");
        }
        // Somebody takes the name that the undo wants to give back.
        var thrown = Fails<LinuxException>(() =>
        {
            _host.Net.Ip("link", "add", "elsewhere", "type", "bridge");
            return new InvalidOperationException("the reason");
        }, Tap("a", "first"), Tap("a", "second"), Tap("b", "third"), Tap("b", "new"));
        Assert.StartsWith("the reason; and putting the host back as it was failed: rename 'first'", thrown.Message);
        Assert.All((string[])["first", "second", "third"], l => Assert.DoesNotContain("\"UP\"", _host.Link(l).GetProperty("flags").ToString()));
        Assert.False(_host.Has("new"));
    }

    [Fact]
    public void A_link_that_cannot_be_made_again_keeps_no_other_from_it()
    {
        _host.Up(Tap("a", "one"), Tap("a", "two"), Tap("a", "three"));
        var thrown = Fails<LinuxException>(() =>
        {
            _host.Net.Ip("link", "delete", "new");
            _host.Net.Ip("link", "add", "two", "type", "bridge");
            return new InvalidOperationException("the reason");
        }, Tap("a", "new"));
        Assert.Contains("make tap 'two'", thrown.Message);
        Assert.Equal((true, true), (_host.Has("one"), _host.Has("three")));
        Assert.Equal("microvm:a/three", _host.Link("three").GetProperty("ifalias").GetString());
    }

    [Fact]
    public void Every_refusal_of_a_batch_is_told()
    {
        _host.Net.Ip("link", "add", "br0", "type", "bridge");
        var (all, rest) = _host.Inside(route =>
        {
            var lo = route.Find("lo").Index;
            RouteBatch Batch() => new RouteBatch().SetGroup(1_000_001, "none1", 7).Rename(lo, "lo", "br0").SetGroup(lo, "lo", 7).SetGroup(1_000_002, "none2", 7);
            return (Assert.Throws<LinuxException>(() => route.Commit(Batch())), Assert.Throws<LinuxException>(() => route.CommitToWhatIsThere(Batch())));
        });
        Assert.Equal([19, 17, 19], all.Refusals.Select(r => r.Errno));
        Assert.All((string[])["'none1'", "rename 'lo'", "'none2'"], t => Assert.Contains(t, all.Message));
        // Behind a link that is gone there is something that nobody expected.
        Assert.Equal(17, rest.Errno);
        Assert.Contains("rename 'lo'", rest.Message);
        _host.Inside(route =>
        {
            Assert.Equal(7u, route.Find("lo").Group);
            route.CommitToWhatIsThere(new RouteBatch().SetGroup(1_000_001, "none1", 7).SetGroup(1_000_002, "none2", 7));
            return 0;
        });
    }

    [Fact]
    public void Up_does_not_claim_success_over_a_link_that_became_somebody_elses()
    {
        _host.Up(Tap("a", "vm-a1"), Tap("a", "vm-a2"));
        _host.Net.Ip("link", "set", "vm-a1", "down");
        var thrown = Assert.Throws<LinuxException>(() => _host.Inside(_ =>
        {
            using var network = new HostNetwork();
            return network.Up([.. DesiredLink.Of([Tap("a", "vm-a1"), Tap("a", "vm-a2")], null, null)], null, plan =>
            {
                // Between looking and changing.
                _host.Net.Ip("link", "set", "vm-a1", "alias", "other:thing");
                return plan;
            });
        }));
        Assert.Contains("'vm-a1' is not as declared", thrown.Message);
        Assert.Equal("other:thing", _host.Link("vm-a1").GetProperty("ifalias").GetString());
    }

    [Fact]
    public void A_redirect_that_was_added_goes_again_and_a_clsact_of_before_stays()
    {
        _host.Net.Ip("link", "add", "eth0", "type", "veth", "peer", "name", "far0");
        _host.Up(s_pair);
        Tc("qdisc", "delete", "dev", "vm-a1", "clsact");
        Tc("filter", "delete", "dev", "mv-vm-a1", "ingress");
        var joined = Fails<InvalidOperationException>(() => new InvalidOperationException(Tc("filter", "show", "dev", "vm-a1", "ingress") + Tc("filter", "show", "dev", "mv-vm-a1", "ingress")), s_pair);
        Assert.Contains("device mv-vm-a1", joined.Message);
        Assert.Contains("device vm-a1", joined.Message);
        Assert.DoesNotContain("clsact", Tc("qdisc", "show", "dev", "vm-a1"));
        Assert.Contains("clsact", Tc("qdisc", "show", "dev", "mv-vm-a1"));
        Assert.DoesNotContain("redirect", Tc("filter", "show", "dev", "mv-vm-a1", "ingress"), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void A_pair_of_which_one_half_was_replaced_is_joined_both_ways_again()
    {
        _host.Net.Ip("link", "add", "eth0", "type", "veth", "peer", "name", "far0");
        _host.Up(s_pair);
        var before = _host.Picture();
        Fails<InvalidOperationException>(() => new InvalidOperationException("x"), s_pair with { QueuePairs = 2 });
        Assert.Equal(before, _host.Picture());
        Assert.Contains("Egress Redirect to device mv-vm-a1", Tc("filter", "show", "dev", "vm-a1", "ingress"));
        Assert.Contains("Egress Redirect to device vm-a1", Tc("filter", "show", "dev", "mv-vm-a1", "ingress"));
    }

    [Theory]
    [InlineData("EIO")]
    [InlineData("ENOBUFS")]
    public void An_error_while_redirects_are_asked_for_is_not_taken_for_their_absence(string error)
    {
        _host.Net.Ip("link", "add", "eth0", "type", "veth", "peer", "name", "far0");
        _host.Net.Ip("link", "set", "eth0", "up");
        var file = _host.Firecracker("a", "vm-a1", "eth0");
        _host.Done("up", file);
        Assert.Equal(0, _host.Microvm("plan", "--exit-code", file).Code);
        var failed = 0;
        for (var nth = 1; nth < 40; nth++)
        {
            var plan = Binary.Run("strace", null, "-o", "/dev/null", "-e", $"inject=recvfrom:error={error}:when={nth}", Binary.Path, "plan", "--exit-code", "--netns", _host.Net.Name, file);
            // An error, or an answer that is right: never a drift that isn't there.
            Assert.True(plan.Code is 0 or 1, $"recvfrom #{nth}: exit code {plan.Code}: {plan.Out}");
            failed += plan.Code;
            if (plan.Code == 0)
            {
                break;
            }
        }
        // The links, and the filters of two.
        Assert.True(failed >= 3, $"{failed}");
    }
}
