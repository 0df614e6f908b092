namespace Microvm.Cli;

/// <summary>Reads what a person names, whatever it is: a device that never ends, a pipe that nobody writes to.</summary>
internal static class BoundedInput
{
    /// <summary>A larger declaration is refused. What is read is counted, not what a file says of itself.</summary>
    internal const int MostBytes = 64 * 1024 * 1024;

    /// <summary>How long the other end of a named pipe may take to come, and between what it writes.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    /// <summary>A file's bytes; null where there are more than <see cref="MostBytes"/>.</summary>
    /// <exception cref="IOException">It can't be read, or nobody writes to it.</exception>
    internal static byte[]? File(string path)
    {
        // A regular file is always there to be read.
        if (Linux.FileStatus.OfTarget(path) is { IsRegular: true } && new FileInfo(path).Length <= MostBytes)
        {
            using var plain = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 1);
            var whole = new byte[plain.Length];
            return plain.ReadAtLeast(whole, whole.Length, throwOnEndOfStream: false) is var got && got == whole.Length ? whole : whole[..got];
        }
        // A pipe blocks where it is opened, and again where it is read; a thread that waits does not keep the process.
        var opening = Task.Run(() => new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 1));
        using var stream = Wait(opening);
        using var kept = new MemoryStream();
        var buffer = new byte[64 * 1024];
        while (Wait(Task.Run(() => stream.Read(buffer))) is > 0 and var read)
        {
            if (kept.Length + read > MostBytes)
            {
                return null;
            }
            kept.Write(buffer, 0, read);
        }
        return kept.ToArray();
    }

    /// <summary>All of a text; null where there is more than <see cref="MostBytes"/>.</summary>
    internal static string? Text(TextReader reader)
    {
        var kept = new System.Text.StringBuilder();
        var buffer = new char[16 * 1024];
        int read;
        while ((read = reader.Read(buffer)) > 0)
        {
            if (kept.Length + read > MostBytes)
            {
                return null;
            }
            _ = kept.Append(buffer, 0, read);
        }
        return kept.ToString();
    }

    private static T Wait<T>(Task<T> task)
    {
        try
        {
            return task.Wait(s_patience) ? task.Result : throw new IOException($"nobody has written to it for {s_patience.TotalSeconds:0} s; is it a pipe without a writer?");
        }
        catch (AggregateException e) when (e.InnerException is { } inner)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Capture(inner).Throw();
            throw;
        }
    }
}
