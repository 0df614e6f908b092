namespace Microvm.Tests;

/// <summary>Guests that a user without any privilege starts.</summary>
public sealed class UnprivilegedGuestTests : IDisposable
{
    private const string Nobody = "65534";

    /// <summary>A /dev/net/tun with the mode that is asked for; <c>ip netns exec</c> has a mount namespace of its own.</summary>
    private const string WithTun = "mount -t tmpfs none /dev/net && mknod -m \"$0\" /dev/net/tun c 10 200 && exec \"$@\"";

    private readonly Folder _folder = new();
    private readonly Namespace _ns = new();
    private readonly string _home;

    public UnprivilegedGuestTests()
    {
        _home = _folder.File("x", "")[..^2];
        // The checkout may be where only root may look.
        foreach (var name in (string[])["vmlinuz", "initrd"])
        {
            File.Copy(Path.Combine(Binary.Root, "out/guest", name), Path.Combine(_home, name));
        }
        File.Copy(Binary.Path, Path.Combine(_home, "microvm"));
        Binary.Run("chmod", null, "-R", "a+rX", _home);
    }

    public void Dispose()
    {
        _ns.Dispose();
        _folder.Dispose();
    }

    private string Declare(string type, string parameter, string more = "")
    {
        var file = _folder.File("vm.json", $$"""
            {"networking":{"hostName":"n"},"microvm":{ {{Guest.Boot(parameter).Replace($"{Binary.Root}/out/guest", _home, StringComparison.Ordinal)}},{{more}}
              "interfaces":[{"type":"{{type}}","id":"vm-n","mac":"02:00:00:00:00:07"}] } }
            """);
        Binary.Run("chmod", null, "a+r", file);
        return file;
    }

    /// <summary>As the user nobody, without groups and capabilities. A managed binary is not one file, and stays where it is.</summary>
    private Guest Run(string tunMode, params string[] arguments) => As(tunMode, ["run", .. arguments]);

    private Guest As(string tunMode, params string[] arguments) => new("ip", ["netns", "exec", _ns.Name, "sh", "-c", WithTun, tunMode,
        "setpriv", "--reuid", Nobody, "--regid", Nobody, "--clear-groups", "--bounding-set=-all", "--",
        File.Exists(Binary.Path + ".dll") ? Binary.Path : Path.Combine(_home, "microvm"), .. arguments]);

    [Fact]
    public void A_tap_that_root_made_for_a_user_is_all_that_the_user_needs()
    {
        var file = Declare("tap", "guestip=10.0.9.2/24");
        Assert.Equal(0, Binary.Microvm("up", "--user", Nobody, "--netns", _ns.Name, file).Code);
        _ns.Ip("addr", "add", "10.0.9.1/24", "dev", "vm-n");
        using var guest = Run("666", file);
        guest.WaitFor("guest: ready");
        var ping = Binary.Run("ip", null, "netns", "exec", _ns.Name, "ping", "-c", "2", "-i", "0.2", "-w", "20", "10.0.9.2");
        Assert.True(ping.Code == 0, ping.Out);
    }

    [Fact]
    public void Anothers_tap_is_refused_with_the_command_that_mends_it()
    {
        var file = Declare("tap", "x");
        Assert.Equal(0, Binary.Microvm("up", "--user", "root", "--netns", _ns.Name, file).Code);
        using var guest = Run("666", file);
        guest.WaitForEnd();
        Assert.Contains("sudo microvm up", guest.Console);
    }

    [Fact]
    public void A_tun_device_that_the_user_may_not_open_is_told()
    {
        var file = Declare("tap", "x");
        Assert.Equal(0, Binary.Microvm("up", "--user", Nobody, "--netns", _ns.Name, file).Code);
        using var guest = Run("600", file);
        guest.WaitForEnd();
        Assert.Contains("user 65534 may not open; fix it with: sudo chmod 0666 /dev/net/tun", guest.Console);
    }

    [Theory]
    [InlineData("check")]
    [InlineData("run")]
    public void A_bridge_helper_without_privileges_is_told(string command)
    {
        var file = Declare("bridge", "x");
        File.WriteAllText(file, File.ReadAllText(file).Replace("\"type\":\"bridge\"", "\"type\":\"bridge\",\"bridge\":\"br0\"", StringComparison.Ordinal));
        using var told = As("666", command, file);
        told.WaitForEnd();
        Assert.Contains("qemu-bridge-helper is neither set-user-ID root nor has it CAP_NET_ADMIN: started by user 65534 it can't make a tap; fix it with: sudo setcap cap_net_admin+ep", told.Console);
    }

    [Fact]
    public void User_networking_in_a_namespace_needs_no_privilege()
    {
        using var guest = Run("666", "--attachment", "vm-n=user-namespace", Declare("user", "seconds=60"));
        guest.WaitFor("guest: leased 10.0.2.15");
    }

    /// <summary>As root, where the user nobody is in a group more than by /etc/passwd.</summary>
    private Guest RunAsRoot(params string[] arguments)
    {
        var groups = _folder.File("group", File.ReadAllText("/etc/group") + "microvm-test:x:54321:nobody\n");
        return new("unshare", ["--mount", "sh", "-c", $"mount --bind \"$1\" /etc/group && shift && {WithTun}", "666", groups, Binary.Path, "run", .. arguments]);
    }

    private static void RunsAsNobody(Guest guest)
    {
        var status = File.ReadLines($"/proc/{guest.Id}/status").Select(l => l.Split(":\t")).Where(f => f.Length == 2).ToDictionary(f => f[0], f => f[1].Trim());
        Assert.Equal("microvm@n", File.ReadAllText($"/proc/{guest.Id}/comm").Trim());
        Assert.Equal("65534\t65534\t65534\t65534", status["Uid"]);
        Assert.Equal("65534\t65534\t65534\t65534", status["Gid"]);
        Assert.Equal(["54321", "65534"], status["Groups"].Split(' ').Order(StringComparer.Ordinal));
    }

    private static string Capabilities(Guest guest) => File.ReadLines($"/proc/{guest.Id}/status").First(l => l.StartsWith("CapPrm", StringComparison.Ordinal))[8..];

    [Fact]
    public void Root_becomes_the_declared_user_who_also_gets_the_links()
    {
        var file = Declare("tap", "guestip=10.0.9.2/24", "\"user\":\"nobody\",");
        Assert.Equal(0, Binary.Microvm("up", "--netns", _ns.Name, file).Code);
        Assert.Contains("\"owner\":\"nobody\"", _ns.Ip("-d", "-j", "-r", "link", "show", "vm-n").Replace("\"user\"", "\"owner\"", StringComparison.Ordinal));
        _ns.Ip("addr", "add", "10.0.9.1/24", "dev", "vm-n");
        using var guest = RunAsRoot("--netns", _ns.Name, file);
        guest.WaitFor("guest: ready");
        RunsAsNobody(guest);
        Assert.Equal("0000000000000000", Capabilities(guest));
        var ping = Binary.Run("ip", null, "netns", "exec", _ns.Name, "ping", "-c", "2", "-i", "0.2", "-w", "20", "10.0.9.2");
        Assert.True(ping.Code == 0, ping.Out);
    }

    [Fact]
    public void The_queues_of_a_macvtap_are_opened_before_the_declared_user_is_become()
    {
        _ns.Ip("link", "add", "low0", "type", "veth", "peer", "name", "far0");
        var file = Declare("macvtap", "x", "\"user\":\"nobody\",");
        File.WriteAllText(file, File.ReadAllText(file).Replace("\"type\":\"macvtap\"", "\"type\":\"macvtap\",\"macvtap\":{\"link\":\"low0\",\"mode\":\"bridge\"}", StringComparison.Ordinal));
        Assert.Equal(0, Binary.Microvm("up", "--netns", _ns.Name, file).Code);
        using var guest = RunAsRoot("--netns", _ns.Name, file);
        guest.WaitFor("guest: ready");
        RunsAsNobody(guest);
    }

    [Fact]
    public void The_declared_user_has_its_user_network_in_a_namespace_too()
    {
        var file = Declare("user", "seconds=60", "\"user\":\"nobody\",");
        using var guest = RunAsRoot("--attachment", "vm-n=user-namespace", file);
        guest.WaitFor("guest: leased 10.0.2.15");
        RunsAsNobody(guest);
    }
}
