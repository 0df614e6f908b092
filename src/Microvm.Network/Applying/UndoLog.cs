namespace Microvm.Network.Applying;

/// <summary>The ways back of all that was done, one for each effect, so that one which fails keeps no other from being taken.</summary>
internal sealed class UndoLog
{
    private readonly Stack<Action> _ways = new();

    /// <summary>Notes the way back of an effect, before the effect: one whose answer got lost may have been carried out all the same.
    /// A way back that is not needed changes nothing.</summary>
    internal void Push(Action way) => _ways.Push(way);

    /// <summary>Takes every way back, the last one first, whatever becomes of the others.</summary>
    /// <returns>What failed, for a person.</returns>
    internal IReadOnlyList<string> Run()
    {
        var failures = new List<string>();
        while (_ways.TryPop(out var way))
        {
            try
            {
                way();
            }
#pragma warning disable CA1031 // Whatever it is: what is left to be put back matters more.
            catch (Exception e)
#pragma warning restore CA1031
            {
                failures.Add(e.Message);
            }
        }
        return failures;
    }
}
