using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Host;

/// <summary>Builds a VM's runner out of a flake with nix, as microvm.nix's own command does. A flake is somebody's program: it is fetched and
/// evaluated as the caller or nobody, and only nix's daemon writes to the store.</summary>
/// <param name="binary">The path of the <c>microvm</c> binary, through which nix is started so that it ends with us.</param>
internal sealed class FlakeBuild(string binary)
{
    /// <summary>What the <c>microvm</c> binary is called with to become a program that ends with us: as somebody else and without a network, with
    /// <see cref="Fetching"/> before the user with a network, or with <see cref="Unchanged"/> as who it is and with all that it may do.</summary>
    internal const string Evaluator = "evaluator", Fetching = "fetch:", Unchanged = "build";

    /// <summary>Of the caller's environment the evaluation gets what finds its network and its words; no credentials, and nothing that steers git or the store.</summary>
    private static readonly string[] s_passes = ["PATH", "LANG", "LC_ALL", "TZ", "LOCALE_ARCHIVE", "SSL_CERT_FILE", "NIX_SSL_CERT_FILE", "NIX_STORE_DIR", "NIX_STATE_DIR", "NIX_LOG_DIR", "NIX_CONF_DIR",
        "http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"];

    /// <summary>What passes besides to what works with the store as who called: an administrator's settings of nix, its daemon and builders.</summary>
    private static readonly string[] s_passesToStore = ["HOME", "USER", "LOGNAME", "TMPDIR", "NIX_CONFIG", "NIX_REMOTE", "NIX_USER_CONF_FILES", "NIX_DAEMON_SOCKET_PATH"];

    /// <summary>A function of a flake's reference, the VM's name and arguments: the VM's configuration, whose modules are given these as well.</summary>
    private const string Extended = """
        { flake, name, given }:
        let configuration = (builtins.getFlake flake).nixosConfigurations.${name}; in
        if configuration ? extendModules then (configuration.extendModules { specialArgs = given; }).config.microvm
        else throw "nixosConfigurations.${name} can't be given arguments: it has no extendModules, which nixpkgs.lib.nixosSystem and lib.evalModules give"
        """;

    /// <summary>The arguments of nix. It says what it built, as JSON.</summary>
    /// <param name="flake">The flake.</param>
    /// <param name="vm">Which of its configurations.</param>
    /// <param name="given">Arguments for the modules, a Nix expression of a set; null for none. nix itself gives a flake none, so it is opened by an
    /// expression, which reads a folder as it is: that takes <c>--impure</c>, where the environment is ours.</param>
    internal static IReadOnlyList<string> Arguments(string flake, VmName vm, string? given) =>
    [
        "--extra-experimental-features", "nix-command flakes", "build", "--no-link", "--json",
        .. given is null ? (string[])["--", $"{flake}#nixosConfigurations.\"{vm.Value}\".config.microvm.declaredRunner"]
            : ["--impure", "--argstr", "flake", Absolute(flake), "--argstr", "name", vm.Value, "--arg", "given", given, "--expr", Extended, "declaredRunner"],
    ];

    /// <summary>A reference that means the same wherever it is read.</summary>
    private static string Absolute(string flake) =>
        FlakeReference.Path(flake) is { Length: > 0 } path && File.Exists(Path.Combine(path, "flake.nix")) && flake.IndexOf(path, StringComparison.Ordinal) is var at
            ? flake[..at] + Path.GetFullPath(path) + flake[(at + path.Length)..] : flake;

    /// <summary>Builds the runner, and makes a link to it that keeps it from garbage collection.</summary>
    /// <returns>Its path in the store.</returns>
    /// <exception cref="IOException">nix is not there, or did not build it; what it said is on the terminal.</exception>
    internal string Run(string flake, VmName vm, string? given, string root)
    {
        var path = Build(flake, vm, given);
        // Valid, or nix says so; nothing is evaluated any more.
        using var keep = Start(Unchanged, "/", Passing(s_passes, s_passesToStore), Program("nix-store"), ["--realise", path, "--add-root", root, "--indirect"]);
        _ = keep.StandardOutput.ReadToEnd();
        Tell(keep);
        keep.WaitForExit();
        return keep.ExitCode == 0 ? path : throw new IOException($"nix could not keep {path}");
    }

    private Process Daemon(IReadOnlyDictionary<string, string> more)
    {
        var environment = Passing(s_passes, s_passesToStore);
        foreach (var (name, value) in more)
        {
            environment[name] = value;
        }
        return Start(Unchanged, "/", environment, Program("nix-daemon"), []);
    }

    private string Build(string flake, VmName vm, string? given)
    {
        const int MostAnswer = 1 << 20;
        var program = Program("nix");
        var file = FileOf(flake);
        var person = Person(file);
        using var store = person is { } other ? StoreFor(other) : null;
        var environment = Passing(s_passes, store is null ? s_passesToStore : []);
        store?.Give(environment);
        DisarmedGit.In(environment);
        using var nix = Start($"{Fetching}{(person is { } p ? $"{p.User}:{p.Group}" : "-")}", file, environment, program, Arguments(flake, vm, given));
        var said = Task.Run(() => Tell(nix));
        var answer = new char[MostAnswer];
        var length = nix.StandardOutput.ReadBlock(answer);
        said.Wait();
        nix.WaitForExit();
        return nix.ExitCode == 0 && Output(answer.AsMemory(0, length)) is { } path ? path : throw new IOException($"nix could not build '{vm}' from {Printable.Of(flake)}");
    }

    /// <summary>What of a flake is looked at to tell whose it is: its file, where it is a folder of this machine; else what is everybody's.</summary>
    internal static string FileOf(string flake) => Path.Combine(Path.GetFullPath(FlakeReference.Path(flake)), "flake.nix") is var file && File.Exists(file) ? file : "/";

    /// <summary>As whom a flake is evaluated where we are root; null where we are not. One that this person can't read belongs to root, who reads it
    /// without capabilities.</summary>
    internal static (uint User, uint Group)? Person(string file) => Caller.Reader(file) is { } reader ? Reads(reader.User, file) ? reader : (0, 0) : null;

    /// <summary>A store that this person can work with.</summary>
    internal NixStore StoreFor((uint User, uint Group) person) => NixStore.ForOther(person, Daemon);

    private static bool Reads(uint user, string file)
    {
        using var acting = Caller.ReadAs(file);
        return PosixProcess.EffectiveUser == user;
    }

    /// <summary>The one path of the store that nix says it built; null where it says anything else.</summary>
    internal static string? Output(ReadOnlyMemory<char> answer)
    {
        try
        {
            using var json = JsonDocument.Parse(answer);
            return json.RootElement[0].GetProperty("outputs").GetProperty("out").GetString() is { } path && IsStorePath(path) ? path : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or IndexOutOfRangeException)
        {
            return null;
        }
    }

    // /nix/store/HASH-NAME, or below another store's directory: 32 digits, and a name of what nix lets a name have.
    private static bool IsStorePath(string path)
    {
        var name = Path.GetFileName(path);
        return path.StartsWith('/') && Path.GetFullPath(path) == path && name.Length is > 33 and <= 211 && name[32] == '-'
            && name.AsSpan(0, 32).IndexOfAnyExcept("0123456789abcdfghijklmnpqrsvwxyz") < 0
            && name.AsSpan(33).IndexOfAnyExcept("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-._?=") < 0;
    }

    /// <summary>What nix says, a line at a time and with what a terminal would obey spelled out: a flake may have it say anything.</summary>
    private static void Tell(Process nix)
    {
        const int MostLine = 4096;
        var line = new char[MostLine];
        int read;
        while ((read = nix.StandardError.Read(line)) > 0)
        {
            Console.Error.Write(Printable.Lines(new string(line, 0, read)));
        }
    }

    private Process Start(string who, string file, IDictionary<string, string?> environment, string program, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(binary, [Evaluator, Environment.ProcessId.ToString(CultureInfo.InvariantCulture), who, file, program, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Clear();
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }
        var process = SearchPath.Start(start);
        process.StandardInput.Close();
        return process;
    }

    private static Dictionary<string, string?> Passing(params ReadOnlySpan<string[]> passes)
    {
        var environment = new Dictionary<string, string?>();
        foreach (var name in passes.ToArray().SelectMany(p => p))
        {
            if (Environment.GetEnvironmentVariable(name) is { } value)
            {
                environment[name] = value;
            }
        }
        return environment;
    }

    private static string Program(string name) => SearchPath.Find(name)
        ?? throw new IOException($"a flake needs nix, and '{name}' is not on the PATH; install it (Debian: apt install nix-bin)");
}
