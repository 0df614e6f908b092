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

    private string Declare(string type, string parameter)
    {
        var file = _folder.File("vm.json", $$"""
            {"networking":{"hostName":"n"},"microvm":{ {{Guest.Boot(parameter).Replace($"{Binary.Root}/out/guest", _home, StringComparison.Ordinal)}},
              "interfaces":[{"type":"{{type}}","id":"vm-n","mac":"02:00:00:00:00:07"}] } }
            """);
        Binary.Run("chmod", null, "a+r", file);
        return file;
    }

    /// <summary>As the user nobody, without groups and capabilities. A managed binary is not one file, and stays where it is.</summary>
    private Guest Run(string tunMode, params string[] arguments) => new("ip", ["netns", "exec", _ns.Name, "sh", "-c", WithTun, tunMode,
        "setpriv", "--reuid", Nobody, "--regid", Nobody, "--clear-groups", "--bounding-set=-all", "--",
        File.Exists(Binary.Path + ".dll") ? Binary.Path : Path.Combine(_home, "microvm"), "run", .. arguments]);

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
        Assert.Contains("user 65534 may not open; mend it with: sudo chmod 0666 /dev/net/tun", guest.Console);
    }

    [Fact]
    public void User_networking_in_a_namespace_needs_no_privilege()
    {
        using var guest = Run("666", "--attachment", "vm-n=user-namespace", Declare("user", "seconds=60"));
        guest.WaitFor("guest: leased 10.0.2.15");
    }
}
