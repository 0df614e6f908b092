using System.Collections;

namespace Microvm.Declaration;

/// <summary>A list that never changes and equals any other with the same items in the same order, so that records that hold
/// lists are compared by what they say.</summary>
internal sealed class ValueList<T> : IReadOnlyList<T>, IEquatable<ValueList<T>>
{
    internal static readonly IReadOnlyList<T> Empty = new ValueList<T>([]);
    private readonly T[] _items;
    private ValueList(T[] items) => _items = items;

    /// <summary>A list's items, in a list of their own.</summary>
    internal static IReadOnlyList<T> Of(IReadOnlyList<T> items) => items as ValueList<T> ?? (items.Count == 0 ? Empty : new ValueList<T>([.. items]));

    public T this[int index] => _items[index];
    public int Count => _items.Length;
    public IEnumerator<T> GetEnumerator() => ((IEnumerable<T>)_items).GetEnumerator();
    IEnumerator IEnumerable.GetEnumerator() => _items.GetEnumerator();
    public bool Equals(ValueList<T>? other) => other is not null && _items.AsSpan().SequenceEqual(other._items);
    public override bool Equals(object? obj) => Equals(obj as ValueList<T>);

    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (var item in _items)
        {
            hash.Add(item);
        }
        return hash.ToHashCode();
    }
}
