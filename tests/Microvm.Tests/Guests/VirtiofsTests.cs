namespace Microvm.Tests;

/// <summary>Shares of proto virtiofs: the daemons beside the VM, QEMU 7's own in C for real, the one in Rust by its arguments.</summary>
public sealed class VirtiofsTests : IDisposable
{
    private readonly Folder _folder = new();
    public void Dispose() => _folder.Dispose();

    private string Home => _folder.File("x", "")[..^2];

    private string Declare(string share, string more = "", params string[] parameters) => _folder.File("vm.json", $$"""
        {"networking":{"hostName":"v"},"microvm":{ {{Guest.Boot(parameters)}},"virtiofsd":{"group":null{{more}} },
          "shares":[{"proto":"virtiofs","tag":"data","mountPoint":"/share","socket":"{{Home}}/v.sock",{{share}} }] } }
        """);

    /// <summary>A virtiofsd that tells a version, and is no more.</summary>
    private string Fake(string version, string then = "exit 9")
    {
        Directory.CreateDirectory(Path.Combine(Home, "bin"));
        File.SetUnixFileMode(_folder.File("bin/virtiofsd", $"#!/bin/sh\n[ \"$1\" != --version ] || {{ echo '{version}'; exit 0; }}\n{then}\n"), (UnixFileMode)0b111_101_101);
        return $",\"package\":\"{Home}\"";
    }

    [Fact]
    public void A_guest_reads_and_writes_a_share_through_the_runners_virtiofsd_which_ends_with_it()
    {
        // A comma and a backslash, which the daemon's option parser would split at and swallow.
        var source = Directory.CreateDirectory(Path.Combine(Home, "da,t\\a")).FullName;
        File.WriteAllText(Path.Combine(source, "hello"), "from the host\n");
        var file = Declare($"\"source\":{System.Text.Json.JsonSerializer.Serialize(source)}", "", "share=data", "seconds=1");
        var runner = Path.Combine(Home, "result");
        Assert.Equal(0, Binary.Microvm("build", file, "-o", runner).Code);
        using var daemon = new Guest(Path.Combine(runner, "bin/virtiofsd-run"));
        for (var n = 0; n < 400 && !File.Exists($"{Home}/v.sock"); n++)
        {
            Thread.Sleep(50);
        }
        using var guest = new Guest(Path.Combine(runner, "bin/microvm-run"));
        guest.WaitFor("guest: shared from the host");
        guest.WaitForEnd();
        Assert.Equal("written by the guest\n", File.ReadAllText(Path.Combine(source, "answer")));
        daemon.WaitForEnd();
        Assert.False(File.Exists($"{Home}/v.sock"));
    }

    [Fact]
    public void Sigterm_ends_the_daemons_and_removes_their_sockets()
    {
        using var daemon = new Guest(Binary.Path, "virtiofsd", Declare("\"source\":\"/usr/share\""));
        for (var n = 0; n < 400 && !File.Exists($"{Home}/v.sock"); n++)
        {
            Thread.Sleep(50);
        }
        Assert.Equal(0, Binary.Run("kill", null, $"{daemon.Id}").Code);
        daemon.WaitForEnd();
        Assert.False(File.Exists($"{Home}/v.sock"));
        Assert.DoesNotContain("microvm:", daemon.Console);
    }

    [Fact]
    public void Each_virtiofsd_is_given_its_own_arguments()
    {
        const string Share = """ "source":"/srv/my, home","cache":"metadata","readOnly":true,"extraArgs":["--log-level","debug"] """;
        var rust = Binary.Microvm("virtiofsd", "--dry-run", Declare(Share, Fake("virtiofsd 1.13.0") + ",\"threadPoolSize\":4"));
        Assert.True(rust.Code == 0, rust.Err);
        Assert.Equal($"{Home}/bin/virtiofsd --socket-path={Home}/v.sock --thread-pool-size=4 '--shared-dir=/srv/my, home' --cache=metadata --inode-file-handles=prefer --posix-acl --xattr --readonly --log-level debug\n", rust.Out);
        var old = Binary.Microvm("virtiofsd", "--dry-run", Declare(Share, Fake("using FUSE kernel interface version 7.36")));
        Assert.Equal(1, old.Code);
        Assert.Contains("is the virtiofsd of QEMU 7 and can't serve a share read-only, as the share 'data' asks for", old.Err);
    }

    [Fact]
    public void A_daemon_that_fails_is_told_and_leaves_nothing()
    {
        var failed = Binary.Microvm("virtiofsd", Declare("\"source\":\"/srv\"", Fake("virtiofsd 1.13.0", "echo 'no such directory' >&2; exit 9")));
        Assert.Equal(1, failed.Code);
        Assert.Contains("no such directory", failed.Err);
        Assert.Contains("virtiofsd for the share 'data' ended with exit code 9", failed.Err);
        var text = File.ReadAllText(Declare("\"source\":\"/srv\"")).Replace("\"group\":null", "\"group\":\"no-such-group\"", StringComparison.Ordinal);
        var group = Binary.Microvm("virtiofsd", _folder.File("group.json", text));
        Assert.Contains("there is no group 'no-such-group' on this host", group.Err);
        var none = Binary.Microvm("virtiofsd", _folder.File("none.json", """{"microvm":{}}"""));
        Assert.Equal(2, none.Code);
        Assert.Contains("has no share of proto virtiofs", none.Err);
    }
}
