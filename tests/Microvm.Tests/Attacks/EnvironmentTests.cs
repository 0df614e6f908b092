using System.Text.RegularExpressions;

namespace Microvm.Tests.Attacks;

/// <summary>Every variable of the environment that is read, and what it steers: under privilege none says what is written, emptied or removed. What
/// they do is tried by <c>environment.sh</c>.</summary>
[Trait("needs", "nothing")]
public sealed partial class EnvironmentTests
{
    private const string Told = "what is printed, and how";

    /// <summary>Who reads which, and what for. A call that is not here is new, and whoever adds it says why it steers nothing of root's.</summary>
    private static readonly (string File, string Argument, string Why)[] s_known =
    [
        ("src/Microvm.Linux/SearchPath.cs", "\"PATH\"", "which programs are started"),
        ("src/Microvm.Linux/ServiceNotifier.cs", "\"NOTIFY_SOCKET\"", "where a datagram goes: nothing is made or removed there"),
        ("src/Microvm.Linux/ServiceNotifier.cs", "\"WATCHDOG_USEC\"", "how often one goes there"),
        ("src/Microvm.Linux/ServiceNotifier.cs", "\"WATCHDOG_PID\"", "whether one goes there"),
        ("src/Microvm.Linux/Caller.cs", "\"SUDO_USER\"", "sudo's own word: whose rights are taken, which are fewer than root's"),
        ("src/Microvm.Linux/Caller.cs", "\"HOME\"", "put back after acting as another"),
        ("src/Microvm.Linux/Caller.cs", "variable", "SUDO_UID and SUDO_GID: the same as SUDO_USER"),
        ("src/Microvm.Cli/Account.cs", "\"SUDO_UID\"", "to whom a tap is given that root makes; sudo's own word"),
        ("src/Microvm.Cli/Commands/DoctorCommand.cs", "\"SUDO_UID\"", "whose rights are told of"),
        ("src/Microvm.Cli/Guests/GuestFiles.cs", "\"SUDO_UID\"", "a refusal"),
        ("src/Microvm.Cli/Guests/GuestFiles.cs", "\"HOME\"", "whose public key is read; never behind sudo"),
        ("src/Microvm.Cli/Terminal.cs", "\"NO_COLOR\"", Told),
        ("src/Microvm.Cli/Terminal.cs", "\"COLUMNS\"", Told),
        ("src/Microvm.Cli/Terminal.cs", "\"TERM\"", Told),
        ("src/Microvm.Cli/Terminal.cs", "", "LC_ALL, LC_CTYPE and LANG: " + Told),
        ("src/Microvm.Cli/Commands/ShutdownCommand.cs", "\"INVOCATION_ID\"", Told),
        ("src/Microvm.Cli/Commands/RunCommand.cs", "\"INVOCATION_ID\"", Told),
        ("src/Microvm.Host/State/NixStore.cs", "\"NIX_DAEMON_SOCKET_PATH\"", "which daemon is asked, as nix itself has it"),
        ("src/Microvm.Host/State/NixStore.cs", "\"NIX_STATE_DIR\"", "the same"),
        ("src/Microvm.Host/State/NixStore.cs", "\"NIX_REMOTE\"", "the same"),
        ("src/Microvm.Nix/NixEnvironment.cs", "\"NIX_PATH\"", "which files are nixpkgs', whose lines are not told as the author's"),
        ("src/Microvm.Host/State/FlakeBuild.cs", "name", "what passes to nix: a list in that file"),
        ("src/Microvm.Host/Control/KvmtoolControl.cs", "\"HOME\"", "where kvmtool's socket is asked"),
        ("src/Microvm.Host/Run/HypervisorProcess.cs", "\"HOME\"", "whether kvmtool, which no longer is root then, gets another"),
        ("src/Microvm.Host/Run/StaleSocket.cs", "\"HOME\"", "where the person who starts kvmtool has a socket on which nobody listens removed, with their own rights: kvmtool makes its own there"),
    ];

    [GeneratedRegex(@"(?:Environment\.GetEnvironmentVariables?|Environment\.ExpandEnvironmentVariables|Environment\.GetFolderPath|PosixProcess\.Variable|Path\.GetTempPath|Libc\.getenv)\b(?:\(([^)]*)\))?")]
    private static partial Regex Read { get; }

    [Fact]
    public void Each_variable_that_is_read_is_known_with_what_it_steers()
    {
        var found = new HashSet<(string, string)>();
        foreach (var file in Directory.EnumerateFiles(Path.Combine(Binary.Root, "src"), "*.cs", SearchOption.AllDirectories).Where(f => !f.Contains("/obj/") && !f.Contains("/bin/")))
        {
            var path = Path.GetRelativePath(Binary.Root, file);
            foreach (Match call in Read.Matches(File.ReadAllText(file)))
            {
                // The one place through which PosixProcess reads for all.
                if (path != "src/Microvm.Linux/PosixProcess.cs")
                {
                    found.Add((path, call.Groups[1].Value));
                }
            }
        }
        var known = s_known.Select(k => (k.File, k.Argument)).ToHashSet();
        Assert.True(found.SetEquals(known), $"new: {string.Join(", ", found.Except(known))}; gone: {string.Join(", ", known.Except(found))}");
    }
}
