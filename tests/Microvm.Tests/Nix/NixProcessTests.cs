using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Microvm.Tests;

/// <summary>The process that evaluates: as whom, with what, how long and how much of it, whichever command started it.</summary>
public sealed partial class NixProcessTests : IDisposable
{
    private readonly Folder _folder = new();
    private readonly string _root;

    public NixProcessTests()
    {
        _root = Path.GetDirectoryName(_folder.File("vm.nix", """{ microvm.kernel = "/k"; microvm.interfaces = [ { type = "tap"; id = "vm-a1"; mac = "02:00:00:00:00:01"; } ]; }"""))!;
        _folder.File("host.nix", "{ microvm.vms.web.config = ./vm.nix; }");
        // In place of nix: tells what it is, and fails.
        _folder.File("nix-instantiate", $$"""
            #!/bin/sh
            { while read -r line; do echo "$line"; done < /proc/self/status; /usr/bin/env; /usr/bin/tr '\0' ' ' < /proc/self/cmdline; } > {{_root}}/told/$$
            echo "error: told" >&2; exit 1
            """);
        Directory.CreateDirectory(Path.Combine(_root, "told"));
        Assert.Equal(0, Binary.Run("chmod", null, "755", _root, $"{_root}/nix-instantiate").Code);
        Assert.Equal(0, Binary.Run("chmod", null, "644", $"{_root}/vm.nix", $"{_root}/host.nix").Code);
        Assert.Equal(0, Binary.Run("chmod", null, "1777", $"{_root}/told").Code);
    }

    public void Dispose() => _folder.Dispose();

    /// <summary>Those that read no declaration. A command that is in the reference and not here is taken for one that reads, and has to show how.</summary>
    private static readonly string[] s_readNone = ["capture", "init", "start", "stop", "restart", "list", "console", "logs", "rename", "remove", "fleet", "host", "host install", "host uninstall", "network", "network list", "network leases", "network show", "network down", "ip",
        "mac", "schema", "completions", "man"];

    private static string[] Line(string command, string file, string host, string root, string netns) => command switch
    {
        "create" or "update" => [command, "web", "--file", file, "--state-dir", $"{root}/state"],
        "build" => ["build", file, "-o", $"{root}/result"],
        "balloon" => ["balloon", file, "100"],
        "fleet up" or "fleet down" => [.. command.Split(' '), host, "--state-dir", $"{root}/state"],
        "plan" or "up" or "down" or "watch" or "metrics" or "top" or "status" or "topology" or "run" or "doctor" => [command, file, "--netns", netns],
        "reach" => ["reach", "host", "internet", file, "--netns", netns],
        "network up" => ["network", "up", "home", file, "--netns", netns],
        _ => [command, file],
    };

    /// <summary>Every command of the reference but those that read no declaration: none can be forgotten.</summary>
    public static TheoryData<string> Commands => new(Reference.Except(s_readNone));

    private static IEnumerable<string> Reference =>
        File.ReadAllText(Path.Combine(Binary.Root, "docs", "cli.md")).Split("\n## microvm ").Skip(1).Select(s => s[..s.IndexOf('\n', StringComparison.Ordinal)]);

    [Fact]
    public void Those_that_read_no_declaration_take_no_file_and_no_arguments_for_modules()
    {
        Assert.Subset(Reference.ToHashSet(), s_readNone.ToHashSet());
        foreach (var command in s_readNone)
        {
            var help = Binary.Microvm([.. command.Split(' '), "--help"]).Out;
            Assert.DoesNotContain("--argstr", help, StringComparison.Ordinal);
            Assert.DoesNotContain("declaration file", help, StringComparison.OrdinalIgnoreCase);
        }
    }

    /// <summary>JSON: a pipe of somebody else's, into which nobody writes, so that the command can be looked at while it reads.</summary>
    [Theory]
    [MemberData(nameof(Commands))]
    public void Every_command_reads_anothers_declaration_with_the_rights_of_that_other_alone(string command)
    {
        const uint Author = 64123;
        using var ns = new Namespace();
        if (command == "update")
        {
            var json = _folder.File("vm.json", """{ "microvm": { "kernel": "/k", "interfaces": [ { "type": "tap", "id": "vm-a1", "mac": "02:00:00:00:00:01" } ] } }""");
            Assert.Equal(0, Binary.Microvm("create", "web", "--file", json, "--state-dir", $"{_root}/state").Code);
        }
        var pipe = Path.Combine(_root, "pipe.json");
        Assert.Equal(0, Binary.Run("mkfifo", null, "-m", "644", pipe).Code);
        Assert.Equal(0, Binary.Run("chown", null, $"{Author}:{Author}", pipe).Code);
        // A FIFO's opening waits for the other end; this is one, which stays silent.
        using var silent = new FileStream(pipe, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        var start = new ProcessStartInfo(Binary.Path, Line(command, pipe, pipe, _root, ns.Name)) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        start.Environment.Remove("SUDO_UID");
        using var process = Process.Start(start)!;
        try
        {
            var (status, clock) = ("", Stopwatch.StartNew());
            while (status.Length == 0 && !process.HasExited && clock.Elapsed < TimeSpan.FromSeconds(9))
            {
                var before = Has(process.Id, pipe);
                var seen = Told($"/proc/{process.Id}/status");
                status = before && Has(process.Id, pipe) ? seen : "";
                Thread.Sleep(5);
            }
            Assert.True(status.Length > 0, $"{command} does not read its declaration{(process.HasExited ? $": {process.StandardOutput.ReadToEnd()}{process.StandardError.ReadToEnd()}" : "")}");
            Assert.Equal($"{Author}", Effective().Match(status).Groups[1].Value);
            Assert.Equal("0000000000000000", Capabilities().Match(status).Groups[1].Value);
        }
        finally
        {
            process.Kill();
            process.WaitForExit();
        }
    }

    private static string Told(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (IOException)
        {
            return "";
        }
    }

    private static bool Has(int process, string file)
    {
        try
        {
            return Directory.GetFiles($"/proc/{process}/fd").Any(f => new FileInfo(f).LinkTarget == file);
        }
        catch (IOException)
        {
            return false;
        }
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void Nix_runs_as_nobody_without_a_capability_with_a_clean_environment_in_every_command(string command)
    {
        using var ns = new Namespace();
        if (command == "update")
        {
            // A VM that is there, made from a declaration in JSON.
            var json = _folder.File("vm.json", """{ "microvm": { "kernel": "/k", "interfaces": [ { "type": "tap", "id": "vm-a1", "mac": "02:00:00:00:00:01" } ] } }""");
            if (Binary.Microvm("create", "web", "--file", json, "--state-dir", $"{_root}/state").Code != 0)
            {
                return;
            }
        }
        var line = Line(command, $"{_root}/vm.nix", $"{_root}/host.nix", _root, ns.Name);
        var outcome = Binary.Run("env", null, ["-u", "SUDO_UID", "-u", "SUDO_GID", "AWS_SECRET_ACCESS_KEY=secret", "SSH_AUTH_SOCK=/agent", "GIT_DIR=/x",
            $"PATH={_root}:{Environment.GetEnvironmentVariable("PATH")}", Binary.Path, .. line]);
        var told = Directory.GetFiles(Path.Combine(_root, "told"));
        Assert.True(told.Length > 0, $"{command} asked no nix: {outcome.Out}{outcome.Err}");
        foreach (var text in told.Select(File.ReadAllText))
        {
            Assert.Equal(Environment.UserName == "root" ? "65534" : Binary.Run("id", null, "-u").Out.Trim(), Uid().Match(text).Groups[1].Value);
            Assert.All(Sets().Matches(text), m => Assert.Equal(0UL, Convert.ToUInt64(m.Groups[1].Value, 16)));
            Assert.Contains("NoNewPrivs:\t1", text.Replace("NoNewPrivs: 1", "NoNewPrivs:\t1", StringComparison.Ordinal), StringComparison.Ordinal);
            Assert.Contains("PATH=/nonexistent", text, StringComparison.Ordinal);
            foreach (var leak in (string[])["AWS_", "SSH_AUTH_SOCK", "GIT_DIR"])
            {
                Assert.DoesNotContain(leak, text, StringComparison.Ordinal);
            }
        }
    }

    /// <summary>Root's own checkout, say: nobody has no way to the binary, nor to the declaration.</summary>
    [Fact]
    public void A_binary_and_a_declaration_in_a_folder_that_is_roots_alone_are_used()
    {
        var folder = Directory.CreateTempSubdirectory("microvm-private-").FullName;
        try
        {
            var binary = Path.Combine(folder, "microvm");
            File.Copy(Binary.Path, binary);
            var declaration = Path.Combine(folder, "vm.nix");
            File.WriteAllText(declaration, """{ networking.hostName = "a"; microvm.interfaces = [ { type = "tap"; id = "vm-a1"; mac = "02:00:00:00:00:01"; } ]; }""");
            var whole = Binary.Run(binary, null, "check", declaration);
            Assert.True(whole.Code == 0, whole.Out + whole.Err);
            var relative = Binary.Run("sh", null, "-c", "cd \"$1\" && ./microvm check vm.nix", "sh", folder);
            Assert.True(relative.Code == 0, relative.Out + relative.Err);
        }
        finally
        {
            Directory.Delete(folder, true);
        }
    }

    /// <summary>Whatever ends us, in order or not: some of them the runtime handles itself, some dump core.</summary>
    [Theory]
    [InlineData("KILL")]
    [InlineData("TERM")]
    [InlineData("INT")]
    [InlineData("HUP")]
    [InlineData("QUIT")]
    [InlineData("ABRT")]
    [InlineData("USR1")]
    [InlineData("ALRM")]
    [InlineData("XCPU")]
    [InlineData("SYS")]
    [InlineData("SEGV then KILL")]
    [InlineData("BUS")]
    [InlineData("FPE then KILL")]
    [InlineData("ILL")]
    [InlineData("TRAP")]
    [InlineData("USR2")]
    [InlineData("VTALRM")]
    [InlineData("PIPE then KILL")]
    public void Nix_ends_with_us_whatever_signal_ends_us(string signal)
    {
        var vm = _folder.File("endless.nix", "let f = n: if n == 0 then 0 else f (n + 1); in { microvm.vcpu = builtins.foldl' (a: _: builtins.foldl' (b: c: b + c) a (builtins.genList (x: x) 1000000)) 0 (builtins.genList (x: x) 1000); }");
        using var process = Process.Start(new ProcessStartInfo(Binary.Path, ["check", vm]) { RedirectStandardOutput = true })!;
        var children = Array.Empty<string>();
        for (var i = 0; i < 100 && children.Length == 0; i++)
        {
            Thread.Sleep(50);
            children = File.ReadAllText($"/proc/{process.Id}/task/{process.Id}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        }
        Assert.NotEmpty(children);
        // A reader that went away ends nobody here (the runtime ignores SIGPIPE); a fault's signal that somebody sent the runtime takes for a fault of its own code, and
        // finds none. In between we work on, and so does nix.
        var signals = signal.Split(" then ");
        foreach (var each in signals)
        {
            Assert.Equal(0, Binary.Run("kill", null, $"-{each}", $"{process.Id}").Code);
            Assert.True(each == signals[^1] || !process.WaitForExit(TimeSpan.FromMilliseconds(300)), $"SIG{each} ends it");
        }
        if (!process.WaitForExit(TimeSpan.FromSeconds(10)))
        {
            process.Kill();
            Assert.Fail($"SIG{signal} does not end it");
        }
        for (var i = 0; i < 100 && children.Any(Runs); i++)
        {
            Thread.Sleep(50);
        }
        Assert.DoesNotContain(children, Runs);

        static bool Runs(string pid)
        {
            try
            {
                return File.Exists($"/proc/{pid}/stat") && !File.ReadAllText($"/proc/{pid}/stat").Contains(") Z ", StringComparison.Ordinal);
            }
            catch (IOException)
            {
                return false;
            }
        }
    }

    [Theory]
    [InlineData("{ microvm.kernelParams = builtins.genList toString 3000000; }", "a list of 3000000 entries")]
    [InlineData("{ microvm.preStart = builtins.foldl' (s: _: s + s) \"x\" (builtins.genList (i: i) 25); }", "a string of 33554432 bytes")]
    [InlineData("builtins.scopedImport { } (builtins.toFile \"x\" \"{ microvm.preStart = builtins.toString (builtins.fetchGit ./.); }\")", "error: ")]
    [InlineData("{ imports = [ (builtins.scopedImport { } ./git.nix) ]; }", "fetchGit needs the network")]
    [InlineData("{ imports = [ (import \"/nix/store/../..${toString ./git.nix}\") ]; }", "fetchGit needs the network")]
    public void What_costs_too_much_or_reaches_out_is_refused(string nix, string says)
    {
        _folder.File("git.nix", "{ microvm.preStart = \"${builtins.fetchGit ./.}\"; }");
        var outcome = Binary.Microvm("check", _folder.File("costly.nix", nix));
        Assert.Equal(2, outcome.Code);
        Assert.Contains(says, outcome.Out, StringComparison.Ordinal);
    }

    /// <summary>What is wanted is refused before it costs gigabytes.</summary>
    [Theory]
    [InlineData("{ microvm.kernelParams = builtins.genList toString 15000000; }", "a list of 15000000 entries")]
    [InlineData("{ microvm.preStart = builtins.foldl' (s: _: s + s) \"x\" (builtins.genList (i: i) 29); }", "the evaluation of a file may take 1.5 GiB")]
    public void What_is_refused_has_not_cost_gigabytes(string nix, string says)
    {
        var told = Path.Combine(_root, "peak");
        var outcome = Binary.Run("/usr/bin/time", null, "-f", "%M", "-o", told, Binary.Path, "check", _folder.File("costly.nix", nix));
        Assert.Equal(2, outcome.Code);
        // On a busy machine the time is up first.
        Assert.True(outcome.Out.Contains(says, StringComparison.Ordinal) || outcome.Out.Contains("nix did not finish within 20 s", StringComparison.Ordinal), outcome.Out);
        Assert.InRange(long.Parse(File.ReadLines(told).Last(), System.Globalization.CultureInfo.InvariantCulture) / 1024, 0, 2048);
    }

    [Fact]
    public async Task A_pipe_that_nobody_writes_to_is_a_sentence_and_an_interrupt_ends_the_wait()
    {
        var pipe = Path.Combine(_root, "pipe.json");
        Assert.Equal(0, Binary.Run("mkfifo", null, "-m", "666", pipe).Code);
        using var interrupted = Process.Start(new ProcessStartInfo(Binary.Path, ["check", pipe]) { RedirectStandardOutput = true })!;
        var patient = Task.Run(() => Binary.Microvm("check", pipe));
        Thread.Sleep(500);
        Assert.Equal(0, Binary.Run("kill", null, "-INT", $"{interrupted.Id}").Code);
        Assert.True(interrupted.WaitForExit(TimeSpan.FromSeconds(5)), "an interrupt does not end it");
        var outcome = await patient;
        Assert.Equal(2, outcome.Code);
        Assert.Contains("nobody has written to it for", outcome.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_a_pipe_and_a_stream_without_end_are_sentences()
    {
        Assert.Contains("/dev/zero: error: this is larger than 64 MiB", Binary.Microvm("check", "/dev/zero").Out, StringComparison.Ordinal);
        Assert.Contains("<stdin>: error: this is larger than 64 MiB", Binary.Run("sh", null, "-c", $"yes | {Binary.Path} check -").Out, StringComparison.Ordinal);
    }

    [Fact]
    public void A_message_of_a_million_slashes_is_told_at_once_and_diagnostics_are_counted()
    {
        var clock = Stopwatch.StartNew();
        var slashes = Binary.Microvm("check", _folder.File("slashes.nix", "{ microvm.vcpu = throw (builtins.foldl' (s: _: s + s) \"/\" (builtins.genList (i: i) 20)); }"));
        Assert.Equal(2, slashes.Code);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(10), clock.Elapsed.ToString());
        var many = Binary.Microvm("check", _folder.File("many.json", $$"""{ "microvm": { "kernelParams": [ {{string.Join(',', Enumerable.Repeat("1", 100_210))}} ] } }"""));
        Assert.Contains("and 100,010 more", many.Out, StringComparison.Ordinal);
        // The first 200 say the same.
        Assert.Contains("(200 times: also at line 1)", many.Out, StringComparison.Ordinal);
        Assert.Equal(2, many.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
    }

    [GeneratedRegex(@"^Uid:\s+(\d+)", RegexOptions.Multiline)] private static partial Regex Uid();
    [GeneratedRegex(@"^Uid:\s+\d+\s+(\d+)", RegexOptions.Multiline)] private static partial Regex Effective();
    [GeneratedRegex(@"^CapEff:\s+([0-9a-f]+)", RegexOptions.Multiline)] private static partial Regex Capabilities();
    [GeneratedRegex(@"^Cap(?:Inh|Prm|Eff|Amb):\s+([0-9a-f]+)", RegexOptions.Multiline)] private static partial Regex Sets();
}
