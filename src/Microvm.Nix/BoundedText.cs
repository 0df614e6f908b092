using System.Text;

namespace Microvm.Nix;

/// <summary>Reads a stream to its end, and keeps no more of it than is allowed.</summary>
internal sealed class BoundedText
{
    private readonly MemoryStream _kept = new();
    private readonly int _most;
    private readonly bool _keepsEnd;

    /// <param name="stream">What is read, at once.</param>
    /// <param name="most">How many bytes are kept.</param>
    /// <param name="keepsEnd">Whether the end is kept rather than the beginning, so that there is no overflow.</param>
    internal BoundedText(Stream stream, int most, bool keepsEnd = false)
    {
        (_most, _keepsEnd) = (most, keepsEnd);
        Task = Read(stream);
    }

    /// <summary>Done when the stream ends, or when there was more than is allowed.</summary>
    internal Task Task { get; }

    /// <summary>Done when there was more than is allowed.</summary>
    internal TaskCompletionSource Overflow { get; } = new();

    internal ReadOnlyMemory<byte> Bytes => _kept.GetBuffer().AsMemory(0, (int)_kept.Length);
    internal string Text => Encoding.UTF8.GetString(Bytes.Span);

    private async Task Read(Stream stream)
    {
        var buffer = new byte[64 * 1024];
        int read;
        while ((read = await stream.ReadAsync(buffer).ConfigureAwait(false)) > 0)
        {
            if (_kept.Length + read > _most)
            {
                if (!_keepsEnd)
                {
                    _ = Overflow.TrySetResult();
                    return;
                }
                // Half of it goes at once, so that little is moved for each further byte.
                var rest = Bytes.Span[^Math.Min(_most / 2, (int)_kept.Length)..].ToArray();
                _kept.SetLength(0);
                _kept.Write(rest);
            }
            _kept.Write(buffer, 0, read);
        }
    }
}
