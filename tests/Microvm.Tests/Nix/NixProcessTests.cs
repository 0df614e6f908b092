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

    private string[] Line(string command, string netns) => command switch
    {
        "create" => ["create", "web", "--file", $"{_root}/vm.nix", "--state-dir", $"{_root}/state"],
        "build" => ["build", $"{_root}/vm.nix", "-o", $"{_root}/result"],
        "balloon" => ["balloon", $"{_root}/vm.nix", "100"],
        "fleet up" or "fleet down" => [.. command.Split(' '), $"{_root}/host.nix", "--state-dir", $"{_root}/state"],
        "watch" or "metrics" or "top" or "status" => [command, $"{_root}/vm.nix", "--netns", netns],
        _ => [command, $"{_root}/vm.nix"],
    };

    /// <summary>Every command whose reference says that it takes arguments for modules: none can be forgotten.</summary>
    public static TheoryData<string> Commands
    {
        get
        {
            var found = new TheoryData<string>();
            foreach (var section in File.ReadAllText(Path.Combine(Binary.Root, "docs", "cli.md")).Split("\n## microvm ").Skip(1).Where(s => s.Contains("`--argstr", StringComparison.Ordinal)))
            {
                found.Add(section[..section.IndexOf('\n', StringComparison.Ordinal)]);
            }
            return found;
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
        string[] line = command == "update" ? ["update", "web", "--file", $"{_root}/vm.nix", "--state-dir", $"{_root}/state"] : Line(command, ns.Name);
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

    [Fact]
    public void Nix_ends_with_us_also_when_we_are_killed()
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
        process.Kill();
        process.WaitForExit();
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
        Assert.Equal(201, many.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
    }

    [GeneratedRegex(@"^Uid:\s+(\d+)", RegexOptions.Multiline)] private static partial Regex Uid();
    [GeneratedRegex(@"^Cap(?:Inh|Prm|Eff|Amb):\s+([0-9a-f]+)", RegexOptions.Multiline)] private static partial Regex Sets();
}
