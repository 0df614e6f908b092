using System.Runtime.InteropServices;

namespace Microvm.Linux;

/// <summary>This process.</summary>
public static unsafe class PosixProcess
{
    /// <summary>The effective user id.</summary>
    public static uint EffectiveUser => Libc.geteuid();

    /// <summary>Stops this process until somebody continues it (SIGSTOP), as a shell's job control does.</summary>
    public static void Suspend()
    {
        const int SIGSTOP = 19;
        _ = Libc.kill(Environment.ProcessId, SIGSTOP);
    }

    /// <summary>Becomes another program, found on the PATH (execvp(3)); returns only by throwing.</summary>
    /// <exception cref="LinuxException">The program could not be started.</exception>
    public static void Exec(IReadOnlyList<string> words)
    {
        // Freed only when exec fails, at the end of the process.
        var arguments = (byte**)NativeMemory.AllocZeroed((nuint)words.Count + 1, (nuint)sizeof(byte*));
        for (var i = 0; i < words.Count; i++)
        {
            arguments[i] = (byte*)Marshal.StringToCoTaskMemUTF8(words[i]);
        }
        Libc.Check(Libc.execvp(arguments[0], arguments), $"start {words[0]}");
    }
}
