using Microvm.Network;
using Microvm.Network.Resources;

namespace Microvm.Tests;

/// <summary>What holds for the properties of every kind of link, those that are still to come too.</summary>
[Trait("needs", "nothing")]
public sealed class LinkResourceTests
{
    public static TheoryData<LinkKind> Kinds => [.. Enum.GetValues<LinkKind>()];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void WhatIsChangedInPlaceHasAWayBack(LinkKind kind)
    {
        // The applier does these for all links at once: it joins pairs once both links are there, guards the addresses of all guests in one transaction,
        // and gives the host its own, which may move from one link to another.
        foreach (var property in LinkResource.Of(kind).Properties.Where(p => p.Key is not (Difference.Fixed or Difference.Redirect or Difference.Guard or Difference.HostSide)))
        {
            Assert.True(property.Set is not null, $"{property.Key} of {kind} can't be set");
            Assert.True(property.SetBack is not null || property.SetBackByCall is not null, $"{property.Key} of {kind} can't be set back");
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void WhatIsNeverChangedInPlaceSaysSo(LinkKind kind) =>
        Assert.All(LinkResource.Of(kind).Properties.Where(p => p.Key == Difference.Fixed),
            p => Assert.True(p is { Anew: not null, Set: null, SetBack: null, SetBackByCall: null }));

    [Theory]
    [MemberData(nameof(Kinds))]
    public void NoTwoPropertiesShareADifference(LinkKind kind) =>
        Assert.All(LinkResource.Of(kind).Properties.Where(p => p.Key != Difference.Fixed).CountBy(p => p.Key),
            c => Assert.Equal(1, c.Value));

    [Fact]
    public void EveryDifferenceBelongsToAKind() => Assert.Equal(
        Enum.GetValues<Difference>().Where(d => d != Difference.None).Order(),
        Enum.GetValues<LinkKind>().SelectMany(k => LinkResource.Of(k).Properties).Select(p => p.Key).Distinct().Order());
}
