using CsCheck;
using Microvm.Declaration;
using Microvm.Host;

namespace Microvm.Tests;

/// <summary>The runner directory: what <c>microvm build</c> writes, run by real shells in a namespace.</summary>
public sealed class RunnerTests : IDisposable
{
    private readonly Folder _folder = new();
    private readonly Namespace _ns = new();

    public void Dispose()
    {
        _ns.Dispose();
        _folder.Dispose();
    }

    private string Home => _folder.File("x", "")[..^2];

    private string Build(string file)
    {
        var runner = Path.Combine(Home, "result");
        var built = Binary.Microvm("build", file, "-o", runner, "--user", "root");
        Assert.True(built.Code == 0, built.Err);
        return runner;
    }

    private Binary.Outcome Script(string runner, string name) => Binary.Run("ip", null, "netns", "exec", _ns.Name, Path.Combine(runner, "bin", name));

    private string Nix(string scripts) => _folder.File("vm.nix", $$"""
        { lib, pkgs, ... }: {
          networking.hostName = "ixp";
          microvm.vcpu = 2;
          microvm.interfaces = [ { type = "tap"; id = "vm-ixp-as11201p"; mac = "02:00:00:00:00:01"; } ];
          {{scripts}}
        }
        """);

    [Fact]
    public void The_specifications_mkAfter_line_attaches_the_tap_to_its_bridge()
    {
        _ns.Ip("link", "add", "ixp-peering", "type", "bridge");
        var runner = Build(Nix("""
            microvm.binScripts.tap-up = lib.mkAfter ''
              ${lib.getExe' pkgs.iproute2 "ip"} link set dev 'vm-ixp-as11201p' master 'ixp-peering'
            '';
            """));
        var up = Script(runner, "tap-up");
        Assert.True(up.Code == 0, up.Err);
        var link = _ns.Ip("-d", "link", "show", "vm-ixp-as11201p");
        Assert.Contains("master ixp-peering", link);
        Assert.Contains("multi_queue", link);
        var down = Script(runner, "tap-down");
        Assert.True(down.Code == 0, down.Err);
        Assert.DoesNotContain("vm-ixp-as11201p", _ns.Links());
    }

    [Fact]
    public void Lines_run_before_and_after_ours_as_NixOS_orders_them()
    {
        var runner = Build(Nix("""
            microvm.binScripts.tap-up = lib.mkMerge [
              (lib.mkAfter "[ -e /sys/class/net/vm-ixp-as11201p ] || ip link show vm-ixp-as11201p >/dev/null; echo after $before")
              (lib.mkBefore "before=first; ! ip link show vm-ixp-as11201p 2>/dev/null; echo before")
            ];
            microvm.binScripts.mine = "echo mine";
            """));
        var up = Script(runner, "tap-up");
        Assert.True(up.Code == 0, up.Err);
        Assert.Equal("before\nafter first\n", up.Out);
        Assert.Equal("mine\n", Script(runner, "mine").Out);
    }

    [Fact]
    public void A_line_that_fails_fails_the_script_and_undoes_what_it_made()
    {
        var before = _ns.Links();
        var runner = Build(Nix("microvm.binScripts.tap-up = lib.mkAfter \"echo reached; false; echo never\";"));
        var up = Script(runner, "tap-up");
        Assert.Equal((1, "reached\n"), (up.Code, up.Out));
        Assert.Equal(before, _ns.Links());
    }

    [Fact]
    public void A_line_that_fails_leaves_what_was_up_before()
    {
        var runner = Build(Nix(""));
        Assert.Equal(0, Script(runner, "tap-up").Code);
        var up = _ns.Links();
        runner = Build(Nix("microvm.binScripts.tap-up = lib.mkAfter \"exit 7\";"));
        Assert.Equal(7, Script(runner, "tap-up").Code);
        Assert.Equal(up, _ns.Links());
    }

    [Theory]
    [InlineData("trap 'echo theirs' EXIT; false", 1, "theirs\n")]
    [InlineData("microvm_made=; microvm_end() { :; }; trap - EXIT; exit 3", 3, "")]
    [InlineData("trap 'echo theirs' EXIT; kill -KILL $BASHPID", 137, "")]
    public void No_trap_or_variable_of_a_line_takes_the_undo_away(string line, int code, string told)
    {
        var before = _ns.Links();
        var up = Script(Build(Nix($"microvm.binScripts.tap-up = lib.mkAfter \"{line}\";")), "tap-up");
        Assert.Equal((code, told), (up.Code, up.Out));
        Assert.Equal(before, _ns.Links());
    }

    [Fact]
    public void A_line_that_stays_in_the_background_does_not_keep_the_script_waiting()
    {
        var up = Script(Build(Nix("microvm.binScripts.tap-up = lib.mkBefore \"sleep 300 >/dev/null 2>&1 & echo $!\";")), "tap-up");
        Assert.True(up.Code == 0, up.Err);
        Assert.Equal(0, Binary.Run("kill", null, up.Out.Trim()).Code);
    }

    [Theory]
    [InlineData("lib.mkBefore \"exit 4\"", 4)]
    [InlineData("lib.mkBefore \"exit 0\"", 0)]
    [InlineData("lib.mkAfter \"false; exit 5\"", 5)]
    public void Whatever_a_line_of_tap_down_does_the_interfaces_go(string lines, int code)
    {
        var runner = Build(Nix($"microvm.binScripts.tap-down = {lines};"));
        Assert.Equal(0, Script(runner, "tap-up").Code);
        Assert.Equal(code, Script(runner, "tap-down").Code);
        Assert.DoesNotContain("vm-ixp", _ns.Links());
    }

    [Fact]
    public void A_forced_script_stands_alone()
    {
        var runner = Build(Nix("microvm.binScripts.tap-up = lib.mkForce \"echo alone\";"));
        Assert.Equal("alone\n", Script(runner, "tap-up").Out);
        Assert.DoesNotContain("vm-ixp", _ns.Links());
    }

    [Fact]
    public void The_host_side_finds_the_facts_that_it_looks_for()
    {
        var runner = Build(_folder.File("vm.json", """
            {"networking":{"hostName":"web"},"microvm":{"vcpu":2,"kernel":"/boot/k","socket":"web.sock","balloon":true,"vsock":{"cid":7},"interfaces":[
              {"type":"tap","id":"vm-a","mac":"02:00:00:00:00:01"},
              {"type":"macvtap","id":"vm-b","mac":"02:00:00:00:00:02","macvtap":{"link":"eth0","mode":"bridge"}}],
              "shares":[{"proto":"virtiofs","tag":"data","source":"/srv/da ta"}]}}
            """));
        string Fact(string name) => File.ReadAllText(Path.Combine(runner, "share/microvm", name));
        Assert.Equal("vm-a\n", Fact("tap-interfaces"));
        Assert.Equal("vnet_hdr\nmulti_queue\n", Fact("tap-flags"));
        Assert.Equal("vm-b 02:00:00:00:00:02 eth0 bridge\n", Fact("macvtap-interfaces"));
        Assert.Equal("qemu\n", Fact("hypervisor"));
        Assert.Equal("7\n", Fact("vsock-cid"));
        Assert.Equal("/srv/da ta\n", Fact("virtiofs/data/source"));
        Assert.Equal("web-virtiofs-data.sock\n", Fact("virtiofs/data/socket"));
        Assert.Equal(["macvtap-down", "macvtap-up", "microvm-balloon", "microvm-run", "microvm-shutdown", "tap-down", "tap-up", "virtiofsd-run"],
            Directory.EnumerateFiles(Path.Combine(runner, "bin")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        var stopped = Script(runner, "microvm-shutdown");
        Assert.Equal((0, "'web' is not running\n"), (stopped.Code, stopped.Out));
        var sizeless = Script(runner, "microvm-balloon");
        Assert.NotEqual(0, sizeless.Code);
        Assert.Contains("how many MiB", sizeless.Err);
    }

    [Fact]
    public void A_runner_replaces_a_runner_and_nothing_else()
    {
        var vm = Nix("");
        var runner = Build(vm);
        File.WriteAllText(Path.Combine(runner, "stale"), "");
        Assert.False(File.Exists(Path.Combine(Build(vm), "stale")));
        var mine = _folder.File("mine", "do not touch");
        var refused = Binary.Microvm("build", vm, "-o", mine);
        Assert.Equal(1, refused.Code);
        Assert.Contains("is not a runner", refused.Err);
        Assert.Equal("do not touch", File.ReadAllText(mine));
        Assert.DoesNotContain(Directory.EnumerateFileSystemEntries(Home), e => e.EndsWith(".new", StringComparison.Ordinal));
    }

    private static readonly string[] s_pieces = ["'", "\"", "$(touch pwned)", "`touch pwned`", "\\", "\n", ";touch pwned;", "-", " ", "*", "é", "a", "#"];
    private static readonly Gen<string> s_hostile = Gen.Int[0, s_pieces.Length - 1].Array[1, 6].Select(n => string.Concat(n.Select(i => s_pieces[i])));

    // What Linux takes in an interface's name: up to 15 bytes, and neither white space nor '/', ':' or '%'.
    private static readonly string[] s_idPieces = ["'", "\"", "$(id)", "`id`", "\\", ";id;", "*", "é", "a", "#", "&", "|", ",", "=", "<x", "!"];
    private static readonly Gen<string> s_hostileId = Gen.Int[0, s_idPieces.Length - 1].Array[1, 3].Select(n => string.Concat(n.Select(i => s_idPieces[i])));

    [Fact]
    public void Whatever_ids_paths_and_users_hold_the_scripts_parse_and_call_what_was_meant()
    {
        var tried = 0;
        Gen.Select(s_hostile, s_hostile, s_hostile, s_hostileId).Sample((folder, user, path, id) =>
    {
        // The binary that the scripts call prints its arguments; its own path is hostile too.
        var home = Path.Combine(Home, Guid.NewGuid().ToString("N"), folder);
        Directory.CreateDirectory(home);
        var binary = Path.Combine(home, "micro'vm $x");
        File.WriteAllText(binary, "#!/bin/sh\nfor a in \"$@\"; do printf '%s\\0' \"$a\"; done\n");
        File.SetUnixFileMode(binary, (UnixFileMode)0b111_101_101);
        var diagnostics = new DiagnosticBag();
        var json = $$"""
            {"microvm":{"kernel":{{Json(path)}},"socket":{{Json("s" + path)}},"binScripts":{"tap-up":[{"order":500,"text":":"},{"order":1500,"text":":"}]},
              "interfaces":[{"type":"tap","id":{{Json(id)}},"mac":"02:00:00:00:00:01"}] } }
            """;
        var node = (ObjectNode)JsonFrontDoor.Read("x", System.Text.Encoding.UTF8.GetBytes(json), diagnostics)!;
        if (new DeclarationReader(diagnostics).Read(node) is not { } vm)
        {
            return; // Refused before anything is written.
        }
        var runner = Path.Combine(home, "result");
        RunnerDirectory.Publish(runner, Runner.Files(vm, node, binary, user));
        foreach (var script in Directory.EnumerateFiles(Path.Combine(runner, "bin")))
        {
            Assert.Equal(0, Binary.Run("bash", null, "-n", script).Code);
        }
        var declaration = Path.Combine(runner, "share/microvm/declaration.json");
        Assert.Equal($"run\0{declaration}\0", Binary.Run(Path.Combine(runner, "bin/microvm-run"), null).Out);
        Assert.Equal($"down\0--only\0tap\0{declaration}\0", Binary.Run(Path.Combine(runner, "bin/tap-down"), null).Out);
        Assert.Equal($"balloon\0{declaration}\0256\0", Binary.Run(Path.Combine(runner, "bin/microvm-balloon"), null, "256").Out);
        var up = Binary.Run("bash", null, "-x", Path.Combine(runner, "bin/tap-up"));
        Assert.Equal(0, up.Code);
        // The real binary's dry run of what was written: every value is still one word, and no file was made.
        var dry = Binary.Microvm("run", "--dry-run", "--json", declaration);
        Assert.Equal(1, dry.Code); // The tap is not there.
        using var start = System.Text.Json.JsonDocument.Parse(dry.Out);
        var words = start.RootElement.GetProperty("command").EnumerateArray().Select(w => w.GetString()).ToList();
        Assert.Equal(path, words[words.IndexOf("-kernel") + 1]);
        var netdev = words[words.IndexOf("-netdev") + 1]!;
        Assert.Matches("^tap,id=[A-Za-z][A-Za-z0-9._-]*,ifname=", netdev);
        Assert.Equal($"ifname={id.Replace(",", ",,", StringComparison.Ordinal)},script=no,downscript=no", netdev[netdev.IndexOf("ifname=", StringComparison.Ordinal)..]);
        Assert.Equal($"unix:{("s" + path).Replace(",", ",,", StringComparison.Ordinal)},server=on,wait=off", words[words.IndexOf("-qmp") + 1]);
        var plain = Binary.Microvm("run", "--dry-run", declaration).Out.Split('\n').Single(l => l.StartsWith("start    ", StringComparison.Ordinal))["start    ".Length..];
        Assert.Equal(string.Join('\0', words) + "\0", Binary.Run("bash", null, "-c", $"printf '%s\\0' {plain}").Out);
        Assert.False(File.Exists("pwned") || File.Exists(Path.Combine(home, "pwned")));
        tried++;
    }, iter: 25, threads: 1);
        Assert.NotEqual(0, tried);
    }

    private static string Json(string text) => System.Text.Json.JsonSerializer.Serialize(text);
}
