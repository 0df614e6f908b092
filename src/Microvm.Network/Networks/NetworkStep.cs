using Microvm.Network.Applying;

namespace Microvm.Network.Networks;

/// <summary>One step on the way to a network as declared: what is done to one of the things that it is made of.</summary>
/// <param name="Name">What it is done to, for a person: the bridge, an address, the table, the service.</param>
/// <param name="Do">Does it; each effect notes its way back first. Null where nothing is to be done.</param>
internal sealed record NetworkStep(StepKind Kind, string Network, string Name, string Reason, Action<UndoLog>? Do = null);

/// <summary>What has to be done for all networks of a command, or why it can't be.</summary>
internal sealed record NetworkPlan(IReadOnlyList<NetworkStep> Steps, IReadOnlyList<Refusal> Refusals)
{
    /// <summary>Bridges that the steps will make, as links will find them.</summary>
    internal IReadOnlyList<Linux.Link> Coming { get; init; } = [];

    /// <summary>The addresses of the networks' guests, as they will be.</summary>
    internal IReadOnlyList<Reservation> Reservations { get; init; } = [];

    internal bool HasChanges => Steps.Any(s => s.Kind != StepKind.Keep);

    /// <param name="checkpoint">Called before each step; throws where the user wants to end.</param>
    internal void Carry(UndoLog undo, Action checkpoint)
    {
        foreach (var step in Steps.Where(s => s.Do is not null))
        {
            checkpoint();
            step.Do?.Invoke(undo);
        }
    }
}
