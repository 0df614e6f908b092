namespace Microvm.Linux;

/// <summary>Whether a frame meets a condition. Perhaps: the condition asks for something that is not known of the frame, or not known here.</summary>
internal enum Match { No, Perhaps, Yes }

/// <summary>A frame as a firewall sees it: which way it goes and whether it answers another. Its addresses, protocol and ports are not said, so it stands for all
/// that go this way. Of a link, null is one that is not known, and the empty text none.</summary>
/// <param name="IsIPv6">Whether it is of IPv6, else of IPv4.</param>
/// <param name="IsReply">Whether it belongs to an established connection, in the direction of the answer; else it opens one.</param>
internal sealed record FirewallFrame(bool IsIPv6, bool IsReply)
{
    /// <summary>The link that it came in by; the bridge of a bridged frame.</summary>
    public string? In { get; init; }

    /// <summary>The link that it goes out by; the bridge of a bridged frame.</summary>
    public string? Out { get; init; }

    /// <summary>Whether a bridge hands it from port to port, and nothing is routed.</summary>
    public bool IsBridged { get; init; }

    /// <summary>The bridge's port that it came in by.</summary>
    public string? PortIn { get; init; } = "";

    /// <summary>The bridge's port that it goes out by.</summary>
    public string? PortOut { get; init; } = "";

    /// <summary>The indexes of the host's links; one that is not there yet has none.</summary>
    public IReadOnlyDictionary<string, int> Indexes { get; init; } = new Dictionary<string, int>();

    /// <summary>A number that no link has: two thousand million links are more than a kernel keeps.</summary>
    public const int NoIndex = int.MaxValue;

    /// <summary>The frame as the chains of a hook are told it: before routing it has no way out yet, and after it they need not be told the way in.</summary>
    public FirewallFrame At(uint hook) => hook switch
    {
        FirewallChain.Prerouting => this with { Out = "", PortOut = "" },
        FirewallChain.Postrouting => this with { In = null, PortIn = IsBridged ? null : PortIn },
        _ => this,
    };
}
