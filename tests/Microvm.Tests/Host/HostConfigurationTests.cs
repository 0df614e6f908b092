using Microvm.Host;
using Microvm.Host.Install;

namespace Microvm.Tests;

/// <summary>Nothing of anybody else's: what a state directory keeps in /etc.</summary>
public sealed class HostConfigurationTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("microvm-conf-").FullName;
    private readonly string _usual = "/var/lib/microvms";
    private string Acl => Path.Combine(_root, "etc/qemu/bridge.conf");
    private string Unit(string vm) => Path.Combine(_root, $"etc/systemd/system/microvm@{vm}.service.d");

    public void Dispose() => Directory.Delete(_root, true);

    /// <summary>A state directory with one VM on a bridge, which qemu-bridge-helper joins.</summary>
    private StateDirectory State(string name, string vm, string bridge)
    {
        var state = Path.Combine(_root, name);
        Directory.CreateDirectory(state);
        var file = Path.Combine(_root, $"{vm}.json");
        File.WriteAllText(file, $$"""{"networking":{"hostName":"{{vm}}"},"microvm":{"kernel":"/k","interfaces":[{"type":"bridge","id":"vm-{{vm}}","mac":"02:00:00:00:00:01","bridge":"{{bridge}}"}] } }""");
        var made = Binary.Microvm("create", vm, "--file", file, "--state-dir", state);
        Assert.True(made.Code == 0, made.Err);
        return new(state);
    }

    private bool Update(StateDirectory state) => new HostConfiguration(_root).Update(state.All(), state.Path);

    [Fact]
    public void A_state_directory_removes_only_what_it_added()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Acl)!);
        File.WriteAllText(Acl, "allow virbr0\n");
        var (one, other) = (State("one", "web", "br1"), State("other", "db", "br2"));
        Assert.True(Update(one));
        Assert.True(Update(other));
        Assert.Contains("allow br1\n", File.ReadAllText(Acl));
        Assert.Contains("allow br2\n", File.ReadAllText(Acl));
        // Another one, without any VM.
        Directory.CreateDirectory(Path.Combine(_root, "empty"));
        Assert.False(Update(new(Path.Combine(_root, "empty"))));
        Assert.True(File.Exists(Path.Combine(Unit("web"), "50-microvm-bridge-helper.conf")));
        Assert.Contains("allow br1\n", File.ReadAllText(Acl));
        Assert.Equal(0, Binary.Microvm("remove", "web", "--state-dir", one.Path).Code);
        Assert.True(Update(one));
        Assert.False(Directory.Exists(Unit("web")));
        Assert.True(Directory.Exists(Unit("db")));
        Assert.DoesNotContain("br1", File.ReadAllText(Acl));
        Assert.Contains("allow br2\n", File.ReadAllText(Acl));
        // Uninstalling takes what all of them added.
        Assert.True(new HostConfiguration(_root).Update([], null));
        Assert.False(Directory.Exists(Unit("db")));
        Assert.Equal("allow virbr0\n", File.ReadAllText(Acl));
    }

    [Fact]
    public void What_is_not_marked_ours_or_was_edited_stays()
    {
        var one = State("one", "web", "br1");
        Directory.CreateDirectory(Unit("web"));
        Directory.CreateDirectory(Unit("db"));
        var (theirs, edited) = (Path.Combine(Unit("db"), "50-microvm-limits.conf"), Path.Combine(Unit("db"), "50-microvm-user-network.conf"));
        File.WriteAllText(theirs, "[Service]\nCPUQuota=50%\n");
        File.WriteAllText(edited, $"# Written by microvm: this VM has an interface of type user, which slirp4netns serves in namespaces of the VM's own.\n# State directory: {one.Path}\n[Service]\nNice=5\n");
        Update(one);
        Update(new(_usual));
        Assert.Equal("[Service]\nCPUQuota=50%\n", File.ReadAllText(theirs));
        Assert.Contains("Nice=5", File.ReadAllText(edited));
        // Nor is a drop-in of somebody's own overwritten that has the very name.
        var own = Path.Combine(Unit("web"), "50-microvm-bridge-helper.conf");
        File.WriteAllText(own, "[Service]\nNoNewPrivileges=no\n");
        Update(one);
        Assert.Equal("[Service]\nNoNewPrivileges=no\n", File.ReadAllText(own));
    }

    [Fact]
    public void Owner_permissions_and_a_link_stay_as_they_are()
    {
        var real = Path.Combine(_root, "etc/bridges");
        Directory.CreateDirectory(Path.GetDirectoryName(Acl)!);
        File.WriteAllText(real, "allow virbr0\n");
        Assert.Equal(0, Binary.Run("chown", null, "12:34", real).Code);
        Assert.Equal(0, Binary.Run("chmod", null, "600", real).Code);
        File.CreateSymbolicLink(Acl, "../bridges");
        Update(State("one", "web", "br1"));
        Assert.Equal("../bridges", new FileInfo(Acl).LinkTarget);
        Assert.Contains("allow br1\n", File.ReadAllText(real));
        Assert.Equal("600 12:34", Binary.Run("stat", null, "-c", "%a %u:%g", real).Out.Trim());
    }
}
