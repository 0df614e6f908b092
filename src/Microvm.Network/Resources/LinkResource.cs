using Microvm.Linux;
using Microvm.Network.Applying;

namespace Microvm.Network.Resources;

/// <summary>A kind of link that we make. It has a list of properties; comparison, reason, change and undo follow from them.</summary>
internal sealed class LinkResource
{
    private readonly LinkProperty[] _inTurn;

    /// <param name="kernelKind">IFLA_INFO_KIND.</param>
    /// <param name="own">What links of this kind have beyond those that all have, in the order in which reasons are said.</param>
    internal LinkResource(string kernelKind, IReadOnlyList<LinkProperty> own)
    {
        KernelKind = kernelKind;
        Properties = [.. own, .. CommonProperties.All];
        // A stable sort: within a turn they are set as they are listed.
        _inTurn = [.. Properties.OrderBy(p => p.Turn)];
    }

    /// <summary>What the kernel calls it: IFLA_INFO_KIND.</summary>
    internal string KernelKind { get; }

    /// <summary>Why a link is not of this kind at all, so that nothing of its own can be compared; null where it is.</summary>
    internal required Func<Link, string?> Unlike { get; init; }

    /// <summary>All properties, in the order in which reasons are said.</summary>
    internal IReadOnlyList<LinkProperty> Properties { get; }

    /// <summary>The kind's own file.</summary>
    internal static LinkResource Of(LinkKind kind) => kind switch
    {
        LinkKind.Tap => TapResource.Kind,
        LinkKind.Macvtap => MacvtapResource.Kind,
        LinkKind.Macvlan => MacvlanResource.Kind,
    };

    /// <summary>Adds what a link that was made with its mark still lacks.</summary>
    internal void Make(NewLink link, int index, RouteBatch batch)
    {
        foreach (var property in _inTurn)
        {
            property.Make?.Invoke(link, index, batch);
        }
    }

    /// <summary>Sets what differs.</summary>
    internal void Set(LinkEffect effect, RouteBatch batch)
    {
        foreach (var property in _inTurn)
        {
            if ((effect.Step.Differs & property.Key) != 0)
            {
                property.Set?.Invoke(effect, batch);
            }
        }
    }

    /// <summary>Sets again what the link itself has and the one before it had otherwise: of that one it was given all, the declared too.</summary>
    internal void SetAfterCarry(LinkEffect effect, RouteBatch batch)
    {
        foreach (var property in _inTurn.Where(p => p.Turn == Turn.Own && (effect.Step.Differs & p.Key) != 0))
        {
            property.Set?.Invoke(effect, batch);
        }
    }

    /// <summary>Adds what sets back what differed, last first.</summary>
    internal void SetBack(LinkEffect effect, RouteBatch batch)
    {
        for (var n = _inTurn.Length - 1; n >= 0; n--)
        {
            if ((effect.Step.Differs & _inTurn[n].Key) != 0)
            {
                _inTurn[n].SetBack?.Invoke(effect, batch);
            }
        }
    }

    /// <summary>The ways back that are calls, each an effect of its own, in the order in which they were set.</summary>
    internal IEnumerable<Action<LinkEffect>> CallsBack(Step step) =>
        from p in _inTurn where (step.Differs & p.Key) != 0 && p.SetBackByCall is not null select p.SetBackByCall;
}
