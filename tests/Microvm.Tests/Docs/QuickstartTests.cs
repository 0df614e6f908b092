namespace Microvm.Tests;

/// <summary>The first thing that a new user runs: it works, says what is missing, and leaves nothing behind.</summary>
public sealed class QuickstartTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("microvm-quickstart-").FullName;

    /// <summary>A checkout of its own, with the guest that is built already.</summary>
    public QuickstartTests()
    {
        Good("cp", ["-a", .. new[] { "quickstart.sh", "build.sh", "global.json", "scripts", "guest", "examples" }.Select(n => Path.Combine(Binary.Root, n)), _folder]);
        Directory.CreateDirectory(Path.Combine(_folder, "out"));
        Directory.CreateSymbolicLink(Path.Combine(_folder, "out", "guest"), Path.Combine(Binary.Root, "out", "guest"));
    }

    public void Dispose() => Directory.Delete(_folder, true);

    [Fact]
    public void It_shows_the_whole_way_and_leaves_nothing_behind()
    {
        var (code, output, left) = Quickstart();
        Assert.True(code == 0, string.Join('\n', output));
        Assert.Empty(left);
        Assert.Contains(output, l => l.Contains("3 packets transmitted, 3 received", StringComparison.Ordinal));
        Assert.Contains("guest: fetched hello from outside", output);
        Assert.Contains("'quickstart' has shut down", output);
        Assert.Contains(output, l => l.StartsWith("== It works", StringComparison.Ordinal));
        // What it names next is there, and nothing is wider than a terminal.
        Assert.EndsWith("docs/getting-started.md", output[^1], StringComparison.Ordinal);
        Assert.All(output, l => Assert.True(l.Length <= 100, l));
    }

    [Fact]
    public void Behind_sudo_the_VM_runs_as_the_caller_and_what_is_made_in_the_checkout_is_theirs()
    {
        // The caller can't look into the checkout that these tests run from.
        File.Delete(Path.Combine(_folder, "out", "guest"));
        Good("cp", "-a", Path.Combine(Binary.Root, "out", "guest"), Path.Combine(_folder, "out", "guest"));
        Good("chown", "-R", "1234:4321", _folder);
        var (code, output, left) = Quickstart(environment: ["SUDO_UID=1234", "SUDO_GID=4321"]);
        Assert.True(code == 0, string.Join('\n', output));
        Assert.Empty(left);
        Assert.Equal("1234 4321", Good("stat", "-c", "%u %g", Path.Combine(_folder, "out", "quickstart.log")).Trim());
    }

    [Theory]
    [InlineData("INT", 130)]
    [InlineData("TERM", 143)]
    [InlineData("HUP", 129)]
    public void Interrupted_while_the_guest_boots_it_leaves_nothing_behind(string signal, int expected)
    {
        // A guest that never answers: the signal always comes in the middle.
        Declare("seconds=60", "seconds=60 guestip=192.0.2.77/24");
        var (code, output, left) = Quickstart(signal);
        Assert.True(code == expected, $"{code}\n{string.Join('\n', output)}");
        Assert.Empty(left);
    }

    [Fact]
    public void A_guest_that_does_not_answer_is_a_failure_that_says_what_to_do()
    {
        Declare("seconds=60", "seconds=60 guestip=192.0.2.77/24");
        var (code, output, left) = Quickstart(wait: 3);
        Assert.Equal(1, code);
        Assert.Matches(@"^\./quickstart\.sh: the guest did not answer in 3 s \(on a slow machine: QUICKSTART_WAIT=300 \./quickstart\.sh\): look at out/quickstart\.log, and run: out/microvm doctor$", output[^1]);
        Assert.Empty(left);
        Assert.True(File.Exists(Path.Combine(_folder, "out", "quickstart.log")));
    }

    [Fact]
    public void A_VM_that_ends_before_it_answers_is_a_failure_that_says_what_to_do()
    {
        Declare("../out/guest/vmlinuz", "../out/no-kernel");
        var (code, output, left) = Quickstart();
        Assert.Equal(1, code);
        Assert.Equal("./quickstart.sh: the VM ended before it answered: look at out/quickstart.log, and run: out/microvm doctor", output[^1]);
        // What run said is shown, not only where it is written.
        Assert.Contains("out/no-kernel', from which", output[^2], StringComparison.Ordinal);
        Assert.Empty(left);
    }

    [Theory]
    [InlineData("quickstart.sh", "./quickstart.sh: it makes network namespaces and a tap in one, and so it needs root. Run: sudo ./quickstart.sh")]
    [InlineData("test.sh", "./test.sh: the tests make network namespaces, and so it needs root. Run: sudo ./test.sh")]
    public void Without_root_the_first_line_says_so(string script, string told)
    {
        File.Copy(Path.Combine(Binary.Root, script), Path.Combine(_folder, script), overwrite: true);
        Binary.Run("chmod", null, "-R", "a+rX", _folder);
        var outcome = Binary.Run("setpriv", null, "--reuid=1234", "--regid=1234", "--clear-groups", "env", "-C", _folder, $"./{script}");
        Assert.Equal((1, "", told + "\n"), (outcome.Code, outcome.Out, outcome.Err));
    }

    [Fact]
    public void Without_a_dotnet_the_first_line_says_what_to_install()
    {
        var outcome = Alone();
        Assert.Equal((1, ""), (outcome.Code, outcome.Out));
        Assert.Equal("./quickstart.sh: there is no dotnet on the PATH: install the .NET SDK 10.0 (https://dotnet.microsoft.com/download).\n", outcome.Err);
    }

    [Fact]
    public void With_too_old_an_SDK_the_first_line_says_which_is_here_and_which_is_needed()
    {
        // As dotnet behaves where global.json asks for what is not installed.
        Program("dotnet", "[ \"$1\" = --list-sdks ] || { echo 'A compatible .NET SDK was not found.'; exit 155; }\necho '8.0.404 [/usr/share/dotnet/sdk]'");
        var outcome = Alone();
        Assert.Equal((1, ""), (outcome.Code, outcome.Out));
        Assert.Equal("./quickstart.sh: the .NET SDK 10.0 is needed, and here is 8.0.404. Install it: https://dotnet.microsoft.com/download\n", outcome.Err);
    }

    [Fact]
    public void Without_apt_the_first_line_names_the_commands_that_are_missing()
    {
        Program("dotnet", "echo 10.0.100");
        var outcome = Alone();
        Assert.Equal((1, ""), (outcome.Code, outcome.Out));
        Assert.StartsWith("./quickstart.sh: not here: ip ping qemu-system-x86_64 nix-instantiate nft dnsmasq busybox. Without apt-get", outcome.Err, StringComparison.Ordinal);
    }

    [Fact]
    public void What_apt_says_is_shown_where_it_fails()
    {
        Program("dotnet", "echo 10.0.100");
        Program("apt-get", "echo 'E: Unable to locate anything' >&2; exit 100");
        var outcome = Alone();
        Assert.Equal((1, ""), (outcome.Code, outcome.Out));
        Assert.Equal(["== installing with apt: iproute2 iputils-ping qemu-system-x86 nix-bin nftables dnsmasq-base busybox-static", "E: Unable to locate anything",
            "./quickstart.sh: apt could not install iproute2 iputils-ping qemu-system-x86 nix-bin nftables dnsmasq-base busybox-static: its words are above."], outcome.Err.TrimEnd('\n').Split('\n'));
    }

    /// <summary>A program of that name, in the folder that <see cref="Alone"/> has as its PATH.</summary>
    private void Program(string name, string script)
    {
        var path = Path.Combine(Directory.CreateDirectory(Path.Combine(_folder, "bin")).FullName, name);
        File.WriteAllText(path, $"#!/bin/bash\n{script}\n");
        Good("chmod", "+x", path);
    }

    /// <summary>The quickstart with the coreutils and nothing else.</summary>
    private Binary.Outcome Alone()
    {
        foreach (var name in (string[])["bash", "dirname", "id", "sed", "cut", "paste", "mktemp", "rm", "seq", "sleep", "stat"])
        {
            var bin = Directory.CreateDirectory(Path.Combine(_folder, "bin")).FullName;
            File.CreateSymbolicLink(Path.Combine(bin, name), new[] { "/usr/bin", "/bin" }.Select(d => Path.Combine(d, name)).First(File.Exists));
        }
        return Binary.Run("/usr/bin/env", null, "-i", "-C", _folder, $"PATH={_folder}/bin", "bash", "./quickstart.sh");
    }

    private void Declare(string was, string becomes)
    {
        var path = Path.Combine(_folder, "examples", "quickstart.nix");
        var text = File.ReadAllText(path);
        Assert.Contains(was, text, StringComparison.Ordinal);
        File.WriteAllText(path, text.Replace(was, becomes, StringComparison.Ordinal));
    }

    private (int Code, string[] Output, string[] Left) Quickstart(string signal = "", int wait = 300, params string[] environment)
    {
        // A managed build of the binary, while developing, would leave the sockets of its runtime.
        var lines = Good("env", ["DOTNET_EnableDiagnostics=0", $"MICROVM_BINARY={Binary.Path}", $"QUICKSTART_WAIT={wait}", .. environment, "timeout", "400", Path.Combine(Binary.Root, "tests/quickstart/leftovers.sh"), _folder, signal]).TrimEnd('\n').Split('\n');
        var end = Array.FindLastIndex(lines, l => l.StartsWith("code: ", StringComparison.Ordinal));
        return (int.Parse(lines[end].AsSpan(6), System.Globalization.CultureInfo.InvariantCulture), lines[..end], lines[(end + 1)..]);
    }

    private static string Good(string program, params string[] arguments)
    {
        var outcome = Binary.Run(program, null, arguments);
        Assert.True(outcome.Code == 0, outcome.Out + outcome.Err);
        return outcome.Out;
    }
}
