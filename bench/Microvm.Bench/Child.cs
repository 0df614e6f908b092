using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Microvm.Bench;

/// <summary>Runs a program to its end on the calling thread and tells what it took.</summary>
internal static unsafe partial class Child
{
    internal sealed record Run(double Milliseconds, string Output);

    /// <summary>The time from just before the program is started until it was reaped. A failure ends the bench.</summary>
    internal static Run Time(IReadOnlyList<string> words)
    {
        var path = Path.GetTempFileName();
        var actions = stackalloc byte[256];
        var arguments = Strings(words);
        var environment = Strings([.. Environment.GetEnvironmentVariables().Cast<System.Collections.DictionaryEntry>().Select(e => $"{e.Key}={e.Value}")]);
        _ = posix_spawn_file_actions_init(actions);
        _ = posix_spawn_file_actions_addopen(actions, 1, path, 0x241, 0x180);
        int pid, status;
        var start = Stopwatch.GetTimestamp();
        var error = posix_spawnp(&pid, arguments[0], actions, null, arguments, environment);
        if (error != 0)
        {
            throw new InvalidOperationException($"can't start {words[0]}: {Marshal.GetPInvokeErrorMessage(error)}");
        }
        while (waitpid(pid, &status, 0) < 0)
        {
        }
        var took = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        _ = posix_spawn_file_actions_destroy(actions);
        Free(arguments);
        Free(environment);
        var output = File.ReadAllText(path);
        File.Delete(path);
        return status == 0 ? new(took, output)
            : throw new InvalidOperationException($"'{string.Join(' ', words)}' failed with status {status.ToString("x", CultureInfo.InvariantCulture)}\n{output}");
    }

    private static byte** Strings(IReadOnlyList<string> words)
    {
        var list = (byte**)NativeMemory.AllocZeroed((nuint)words.Count + 1, (nuint)sizeof(byte*));
        for (var i = 0; i < words.Count; i++)
        {
            list[i] = (byte*)Marshal.StringToCoTaskMemUTF8(words[i]);
        }
        return list;
    }

    private static void Free(byte** list)
    {
        for (var p = list; *p != null; p++)
        {
            Marshal.FreeCoTaskMem((nint)(*p));
        }
        NativeMemory.Free(list);
    }

    [LibraryImport("libc")] private static partial int posix_spawnp(int* pid, byte* file, byte* actions, void* attributes, byte** arguments, byte** environment);
    [LibraryImport("libc")] private static partial int posix_spawn_file_actions_init(byte* actions);
    [LibraryImport("libc")] private static partial int posix_spawn_file_actions_destroy(byte* actions);
    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)] private static partial int posix_spawn_file_actions_addopen(byte* actions, int fd, string path, int flags, uint mode);
    [LibraryImport("libc")] private static partial int waitpid(int pid, int* status, int options);
}
