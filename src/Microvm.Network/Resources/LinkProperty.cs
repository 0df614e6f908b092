using Microvm.Linux;
using Microvm.Network.Applying;
using Microvm.Network.Planning;

namespace Microvm.Network.Resources;

/// <summary>When a property is set among the others of a link that is there; they are set back in reverse.</summary>
internal enum Turn
{
    /// <summary>By a call that goes by the link's name or node, before any request.</summary>
    Call,

    /// <summary>First of the requests: a link carries our mark before anything else about it changes.</summary>
    Mark,

    /// <summary>After the mark.</summary>
    Name,

    /// <summary>Whom it is attached to.</summary>
    Master,

    /// <summary>What the link itself has.</summary>
    Own,

    /// <summary>Last of the link itself: frames pass once all else is right.</summary>
    Up,

    /// <summary>After that: the host's own on a link, which the kernel has on one alone that is up.</summary>
    HostSide,
}

/// <summary>What a kind of link has: how it is compared, said to a person, set, and set back.</summary>
/// <param name="key">Its place among the differences of a step.</param>
/// <param name="turn">When it is set.</param>
internal sealed class LinkProperty(Difference key, Turn turn)
{
    /// <summary>Its place among the differences of a step.</summary>
    internal Difference Key => key;

    /// <summary>When it is set.</summary>
    internal Turn Turn => turn;

    /// <summary>Why it is not as wanted, as a clause about "it"; null where it is.</summary>
    internal required Func<Comparison, string?> Wrong { get; init; }

    /// <summary>Whether, where it is wrong, only a new link can have it right; null: never.</summary>
    internal Func<Comparison, bool>? Anew { get; init; }

    /// <summary>A link of others that is taken over may lack it.</summary>
    internal bool GivenOnAdoption { get; init; }

    /// <summary>Adds what a link that was made with its mark still lacks of it, by its ifindex; null where it lacks nothing.</summary>
    internal Action<NewLink, int, RouteBatch>? Make { get; init; }

    /// <summary>Adds what makes it as wanted, or does it at once where no request can; null where it is set by other means.</summary>
    internal Action<LinkEffect, RouteBatch>? Set { get; init; }

    /// <summary>Adds what makes it as it was; null where no request does.</summary>
    internal Action<LinkEffect, RouteBatch>? SetBack { get; init; }

    /// <summary>Makes it as it was by a call, after the requests, which give the link its name again; null where none does.</summary>
    internal Action<LinkEffect>? SetBackByCall { get; init; }
}

/// <summary>A change of one link, as its properties see it.</summary>
/// <param name="Step">What is wanted of it.</param>
/// <param name="State">What was seen.</param>
/// <param name="Name">The name that it has now, or has again once it is set back: its own, or one for the moment.</param>
internal readonly record struct LinkEffect(Step Step, HostState State, string Name)
{
    internal DesiredLink Want => Step.Desired!;

    internal Link Link => Step.Observed!;
}
