using System.Globalization;
using Microvm.Host;
using Microvm.Linux;

namespace Microvm.Cli;

/// <summary>What stands between us and nix: <c>microvm evaluator PARENT USER:GROUP FILE PROGRAM …</c> gives up all that it may do, becomes
/// the person whose declaration it is, and then the program, which ends with us, whatever ends us. With <c>fetch:</c> before the person it
/// keeps the network; with <c>build</c> in the place of the person it stays who it is: nix's daemon has to write to its store.</summary>
internal static class NixGuard
{
    internal const string Name = FlakeBuild.Evaluator;
    private const string Unchanged = "-";

    /// <summary>Most memory for data, in bytes: for a file, whose evaluation may take seconds; and for a flake, enough for NixOS itself with some guests.</summary>
    private const ulong MostMemory = 3UL << 29, MostMemoryOfFlake = 8UL << 30;

    /// <summary>The words that come before nix's own command line.</summary>
    /// <param name="file">What is read: who may not read it is not become.</param>
    /// <param name="fetches">Whether it is to have a network.</param>
    internal static IReadOnlyList<string> Words(string file, bool fetches) =>
    [
        // Not by its path: it may lie where the person has no way in, as in root's own checkout.
        "/proc/self/exe", Name, Environment.ProcessId.ToString(CultureInfo.InvariantCulture),
        $"{(fetches ? FlakeBuild.Fetching : "")}{(Caller.Reader(file) is { } person ? $"{person.User}:{person.Group}" : Unchanged)}", Path.GetFullPath(file),
    ];

    /// <summary>Returns only where it could not become the program.</summary>
    internal static int Become(string[] args)
    {
        if (args.Length < 5 || !int.TryParse(args[1], NumberStyles.None, CultureInfo.InvariantCulture, out var parent))
        {
            return 2;
        }
        try
        {
            if (args[2] == FlakeBuild.Unchanged)
            {
                PosixProcess.EndWith(parent);
                PosixProcess.Exec(args[4..]);
                return 1;
            }
            var fetches = args[2].StartsWith(FlakeBuild.Fetching, StringComparison.Ordinal);
            var ids = args[2][(fetches ? FlakeBuild.Fetching.Length : 0)..].Split(':');
            if (!fetches)
            {
                Privileges.LeaveNetwork();
            }
            if (ids.Length == 2 && uint.TryParse(ids[0], NumberStyles.None, CultureInfo.InvariantCulture, out var user) && uint.TryParse(ids[1], NumberStyles.None, CultureInfo.InvariantCulture, out var group))
            {
                Caller.BecomeReader((user, group), args[3]);
            }
            else
            {
                Caller.BecomeReader((0, 0), "");
            }
            Privileges.Limit(default);
            PosixProcess.LimitData(Path.GetFileName(args[3]) is "flake.nix" or "" ? MostMemoryOfFlake : MostMemory);
            // After all changes of ids, which the kernel takes for a reason to forget it.
            PosixProcess.EndWith(parent);
            PosixProcess.Exec(args[4..]);
            return 1;
        }
        catch (LinuxException e)
        {
            Console.Error.WriteLine($"error: {e.Message}");
            return 1;
        }
    }
}
