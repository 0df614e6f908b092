using Microvm.Linux;
using Microvm.Network.Resources;

namespace Microvm.Network.Planning;

/// <summary>One wanted link against the one that is there, property by property. Pure.</summary>
/// <param name="want">As it is declared.</param>
/// <param name="link">As it is.</param>
/// <param name="state">What else was seen.</param>
internal sealed class Comparison(DesiredLink want, Link link, HostState state)
{
    private List<string>? _reasons;

    internal DesiredLink Want => want;

    internal Link Link => link;

    internal HostState State => state;

    /// <summary>The VM's link group.</summary>
    internal uint Group { get; private init; }

    /// <summary>The ifindex of the bridge to be attached to; 0 for none.</summary>
    internal int Master { get; private init; }

    /// <summary>The ifindex of the lower device; 0 for none.</summary>
    internal int Lower { get; private init; }

    /// <summary>The ifindex of the link that it is to be redirected to; -1 where that is not there.</summary>
    internal int Redirect { get; private init; }

    /// <summary>What is not as wanted.</summary>
    internal Difference Differs { get; private set; }

    /// <summary>Nothing is wrong but what a link of others is given once it is taken over.</summary>
    internal bool FitsForAdoption { get; private set; } = true;

    /// <summary>What is not as wanted, for a person.</summary>
    internal string Reason => string.Join(", ", _reasons ?? []);

    internal static Comparison Of(DesiredLink want, Link link, HostState state, uint group, int master, int lower, int redirect)
    {
        var comparison = new Comparison(want, link, state) { Group = group, Master = master, Lower = lower, Redirect = redirect };
        comparison.Compare(LinkResource.Of(want.Kind));
        return comparison;
    }

    private void Compare(LinkResource kind)
    {
        var unlike = kind.Unlike(link);
        if (unlike is not null)
        {
            Note(Difference.Fixed, unlike);
            FitsForAdoption = false;
        }
        foreach (var property in unlike is null ? kind.Properties : CommonProperties.All)
        {
            if (property.Wrong(this) is { } reason)
            {
                Note(property.Anew?.Invoke(this) == true ? Difference.Fixed : property.Key, reason);
                FitsForAdoption &= property.GivenOnAdoption;
            }
        }
    }

    private void Note(Difference what, string reason)
    {
        Differs |= what;
        (_reasons ??= []).Add(reason);
    }
}
