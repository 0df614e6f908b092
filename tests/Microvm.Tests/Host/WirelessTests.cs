namespace Microvm.Tests;

/// <summary>A wireless card takes a macvtap from the kernel's point of view, and its access point takes none of the guest's frames: said before the VM starts.</summary>
public sealed class WirelessTests : IDisposable
{
    private readonly NetworkHost _host = new();
    public void Dispose() => _host.Dispose();

    [Theory]
    [InlineData("$(cat /sys/class/net/wlan0/ifindex)", "wlan0", true)]
    [InlineData("$(cat /sys/class/net/wlan0/ifindex)", "uplink", true)]
    // sysfs shows another namespace's card of that name.
    [InlineData("4711", "wlan0", false)]
    public void Plan_and_a_dry_run_say_that_the_lower_device_is_wireless(string index, string lower, bool wireless)
    {
        _host.Net.Ip("link", "add", "wlan0", "up", "type", "veth", "peer", "name", "far0");
        _host.Net.Ip("link", "set", "far0", "up");
        _host.Net.Ip("link", "property", "add", "dev", "wlan0", "altname", "uplink");
        using var folder = new Folder();
        var file = folder.File("a.json",
            $$"""{"networking":{"hostName":"a"},"microvm":{"kernel":"/boot/vmlinuz","initrdPath":"/boot/initrd","interfaces":[{{NetworkHost.Macvtap("vm-a1", lower, "bridge")}}] } }""");
        _host.Done("up", file);
        // 'ip netns exec' has a sysfs of its own, in which the card looks as the kernel shows a wireless one.
        string Said(string command) => Binary.Run("ip", null, "netns", "exec", _host.Net.Name, "sh", "-c",
            $"index={index}; mount -t tmpfs none /sys/class/net && mkdir -p /sys/class/net/wlan0/phy80211 && echo $index > /sys/class/net/wlan0/ifindex && exec {Binary.Path} {command} {file}").Err;
        var note = $"microvm: note: 'vm-a1' of 'a' is on '{lower}', which is a wireless card: access points drop frames";
        Assert.All((string[])["plan", "run --dry-run"], command => Assert.Equal(wireless, Said(command).Contains(note, StringComparison.Ordinal)));
        Assert.DoesNotContain("wireless", _host.Microvm("plan", file).Err);
    }
}
