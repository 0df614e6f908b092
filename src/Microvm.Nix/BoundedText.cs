using System.Text;

namespace Microvm.Nix;

/// <summary>Reads a stream to its end, and keeps no more of it than is allowed.</summary>
internal sealed class BoundedText
{
    private readonly MemoryStream _kept = new();
    private readonly int _most;

    internal BoundedText(Stream stream, int most)
    {
        _most = most;
        Task = Read(stream);
    }

    /// <summary>Whether the end is kept rather than the beginning, so that there is no overflow.</summary>
    internal bool KeepsEnd { get; init; }

    /// <summary>Done when the stream ends.</summary>
    internal Task Task { get; }

    /// <summary>Done when there was more than is allowed.</summary>
    internal TaskCompletionSource Overflow { get; } = new();

    internal ReadOnlyMemory<byte> Bytes => _kept.GetBuffer().AsMemory(0, (int)_kept.Length);
    internal string Text => Encoding.UTF8.GetString(Bytes.Span);

    private async Task Read(Stream stream)
    {
        // On the pool from here on: the initialiser has yet to say what is kept.
        await Task.Yield();
        var buffer = new byte[64 * 1024];
        int read;
        while ((read = await stream.ReadAsync(buffer).ConfigureAwait(false)) > 0)
        {
            if (_kept.Length + read <= _most)
            {
                _kept.Write(buffer, 0, read);
            }
            else if (!KeepsEnd)
            {
                _ = Overflow.TrySetResult();
                return;
            }
            else
            {
                // Half of it goes at once, so that little is moved for each further byte.
                var rest = _kept.ToArray()[^(_most / 2)..];
                _kept.SetLength(0);
                _kept.Write(rest);
                _kept.Write(buffer, 0, read);
            }
        }
    }
}
