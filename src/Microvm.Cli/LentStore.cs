using System.CommandLine;
using System.Globalization;
using Microvm.Declaration;
using Microvm.Host;
using Microvm.Linux;
using Microvm.Nix;

namespace Microvm.Cli;

/// <summary>How a command that gives up its privileges before it reads anything lets nix fetch a flake as somebody else, as those do that build one
/// (<see cref="NixStore"/>): a process of ours has the store before they are given up, and keeps it until this one closes a pipe, or ends.</summary>
internal static class LentStore
{
    internal const string Name = "nix-store-for";
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);
    private static readonly Dictionary<string, IReadOnlyDictionary<string, string>> s_lent = [];
    private static readonly List<int> s_lives = [];

    /// <summary>Before privileges are given up: for each flake that the command line names, if nix may fetch and we are root.</summary>
    /// <exception cref="IOException">The store can't be had.</exception>
    internal static void Prepare(ParseResult result)
    {
        var command = result.CommandResult.Command;
        // Root of a user namespace alone sees the host's root as nobody, and has no other's rights to give.
        if (!command.Options.Contains(CommonOptions.Online) || !result.GetValue(CommonOptions.Online) || PosixProcess.EffectiveUser != 0
            || !Privileges.Permitted.Has(Capability.Chown) || FileStatus.Of("/") is not { User: 0 })
        {
            return;
        }
        var stores = new Dictionary<(uint, uint), IReadOnlyDictionary<string, string>>();
        foreach (var file in result.Tokens.Select(t => t.Value).Where(IsFlake).Select(t => Path.GetFullPath(Declarations.FileOf(t))).Distinct())
        {
            if (FlakeBuild.Person(file) is { } person)
            {
                s_lent[file] = stores.TryGetValue(person, out var store) ? store : stores[person] = Borrow(person);
            }
        }
    }

    /// <summary>What leads nix to the store of this flake's person; nothing where it needs none.</summary>
    /// <param name="file">The file of the flake that is looked at.</param>
    internal static IReadOnlyDictionary<string, string> Environment(string file) => s_lent.GetValueOrDefault(file) ?? new Dictionary<string, string>();

    /// <summary>Nothing more is fetched.</summary>
    internal static void Return()
    {
        s_lives.ForEach(PosixProcess.Close);
        s_lives.Clear();
        s_lent.Clear();
    }

    private static bool IsFlake(string word) => NixFrontDoor.IsFlake(word) || File.Exists(Path.Combine(word, "flake.nix")) || Path.GetFileName(word) == "flake.nix" && File.Exists(word);

    private static Dictionary<string, string> Borrow((uint User, uint Group) person)
    {
        var setsid = SearchPath.Find("setsid") ?? throw new IOException("there is no setsid on the PATH; install it (Debian: apt install util-linux)");
        var (life, alive) = PosixProcess.OpenPipe();
        var (told, tell) = PosixProcess.OpenPipe();
        PosixProcess.CloseOnExec(alive);
        PosixProcess.CloseOnExec(told);
        try
        {
            // In a session of its own: Ctrl-C is ours to take, and then it cleans up.
            var code = PosixProcess.RunAlone(setsid, "--fork", VmHost.Binary, Name, string.Create(CultureInfo.InvariantCulture, $"{person.User}"),
                string.Create(CultureInfo.InvariantCulture, $"{person.Group}"), Text(life), Text(tell));
            if (code != 0)
            {
                throw new IOException($"what keeps nix's store can't be started: {setsid} ended with {code}");
            }
        }
        finally
        {
            PosixProcess.Close(life);
            PosixProcess.Close(tell);
        }
        s_lives.Add(alive);
        var answer = PosixProcess.ReadToEnd(told, s_patience);
        PosixProcess.Close(told);
        if (answer.Split('\n', StringSplitOptions.RemoveEmptyEntries) is not ["serves", .. var lines])
        {
            throw new IOException(answer.Length > 0 ? Printable.Lines(answer.Trim()) : "what keeps nix's store has ended before it served");
        }
        return lines.Select(l => l.Split('=', 2)).ToDictionary(p => p[0], p => p[1]);
    }

    /// <summary>The other process: <c>nix-store-for USER GROUP LIFE TELL</c>.</summary>
    internal static int Keep(string[] args)
    {
        var numbers = args.Skip(1).Select(a => int.Parse(a, NumberStyles.None, CultureInfo.InvariantCulture)).ToArray();
        var (life, tell) = (numbers[2], numbers[3]);
        PosixProcess.CloseOnExec(life);
        PosixProcess.CloseOnExec(tell);
        try
        {
            using var store = new FlakeBuild(VmHost.Binary).StoreFor(((uint)numbers[0], (uint)numbers[1]));
            var environment = new Dictionary<string, string?>();
            store.Give(environment);
            PosixProcess.Write(tell, System.Text.Encoding.UTF8.GetBytes($"serves\n{string.Concat(environment.Select(e => $"{e.Key}={e.Value}\n"))}"));
            PosixProcess.Close(tell);
            while (PosixProcess.Read(life, TimeSpan.FromDays(1)) is null && !PosixProcess.IsHungUp(life, TimeSpan.Zero))
            {
            }
            return 0;
        }
        catch (Exception e) when (e is IOException or LinuxException)
        {
            PosixProcess.Write(tell, System.Text.Encoding.UTF8.GetBytes(e.Message));
            return 1;
        }
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
