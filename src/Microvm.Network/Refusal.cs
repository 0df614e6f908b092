namespace Microvm.Network;

/// <summary>Why a plan can't be carried out, for a program to tell apart.</summary>
public enum RefusalKind
{
    /// <summary>Two declared interfaces would have a link of the same name.</summary>
    NameTwice,

    /// <summary>A link of ours was renamed, and another link has its name now.</summary>
    NameTaken,

    /// <summary>A link of the wanted name exists and belongs to somebody else.</summary>
    Foreign,

    /// <summary>The bridge does not exist.</summary>
    BridgeMissing,

    /// <summary>The link that is named as the bridge can't be attached to.</summary>
    BridgeUnfit,

    /// <summary>The lower device does not exist.</summary>
    LowerMissing,

    /// <summary>The lower device can't carry the wanted macvtap.</summary>
    LowerUnfit,

    /// <summary>A link would have to be deleted while a program has it open.</summary>
    Held,

    /// <summary>Addresses of a declared network, or a declared route, are those of something else on this host.</summary>
    AddressTaken = 20,

    /// <summary>A program that a declared network needs is not there.</summary>
    ProgramMissing = 21,

    /// <summary>A port that the service of a declared network needs is another program's.</summary>
    PortTaken = 22,

    /// <summary>A link would have to be replaced, and something depends on it that can't be carried along.</summary>
    Dependents = 8,
}

/// <summary>One reason why a plan changes nothing.</summary>
/// <param name="Vm">The VM whose link it is about.</param>
/// <param name="Link">The link's name on the host.</param>
/// <param name="Alias">The alias by which we know the link, whatever it is called.</param>
/// <param name="Text">The reason and what to do, for a person.</param>
public sealed record Refusal(RefusalKind Kind, string Vm, string Link, string Alias, string Text)
{
    /// <summary>The text.</summary>
    public override string ToString() => Text;
}

/// <summary>The words that stand for refusals in JSON. They are part of what scripts rely on, and never change.</summary>
public static class RefusalWords
{
    /// <summary>The word for a kind.</summary>
    public static string Word(this RefusalKind kind) => kind switch
    {
        RefusalKind.NameTwice => "name-twice",
        RefusalKind.NameTaken => "name-taken",
        RefusalKind.Foreign => "foreign",
        RefusalKind.BridgeMissing => "bridge-missing",
        RefusalKind.BridgeUnfit => "bridge-unfit",
        RefusalKind.LowerMissing => "lower-missing",
        RefusalKind.LowerUnfit => "lower-unfit",
        RefusalKind.Held => "held",
        RefusalKind.Dependents => "dependents",
        RefusalKind.AddressTaken => "address-taken",
        RefusalKind.ProgramMissing => "program-missing",
        RefusalKind.PortTaken => "port-taken",
    };
}
