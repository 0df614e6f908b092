namespace Microvm.Tests;

/// <summary>VLANs of bridge ports, and a VRF, on Debian's stock kernel in a guest: many a kernel that tests run on has neither.</summary>
public sealed class VlanTests : IDisposable
{
    private readonly Folder _folder = new();
    public void Dispose() => _folder.Dispose();

    private const string Script = """
        for m in llc stp bridge tun vrf; do insmod /modules/$m.ko; done
        export PATH=/tools:$PATH
        mkdir -p /etc /run /tmp; echo root:x:0:0::/:/bin/sh > /etc/passwd; echo root:x:0: > /etc/group
        ip link set lo up
        ip link add br0 type bridge vlan_filtering 1
        ip link set br0 up
        microvm up /tools/one.json
        bridge vlan add dev vm-a1 vid 20
        bridge vlan add dev vm-a1 vid 10 pvid untagged
        bridge vlan del dev vm-a1 vid 1
        bridge vlan add dev vm-a2 vid 30-33
        echo "before: $(bridge -j vlan show)"
        echo "index: $(cat /sys/class/net/vm-a1/ifindex)"
        microvm up /tools/two.json
        echo "after: $(bridge -j vlan show)"
        echo "index: $(cat /sys/class/net/vm-a1/ifindex)"
        microvm up /tools/two.json
        bridge vlan del dev vm-a2 vid 30-33
        bridge vlan del dev vm-a2 vid 1
        microvm up /tools/one.json > /dev/null
        echo "none: $(bridge -j vlan show dev vm-a2)"

        # A VRF is no bridge, and just as much somebody else's.
        microvm up /tools/free.json
        ip link add vrf9 type vrf table 9
        ip link set vrf9 up
        ip link set vm-f1 master vrf9
        microvm plan --exit-code /tools/free.json > /dev/null && echo "vrf: planned $(microvm up /tools/free.json)"
        echo "vrf: $(cat /sys/class/net/vm-f1/master/uevent | grep INTERFACE)"
        echo "finished"
        """;

    [Fact]
    public void A_tap_that_is_replaced_is_in_the_VLANs_that_somebody_put_it_in_and_in_no_other_and_a_VRF_is_left_alone()
    {
        var root = Directory.CreateDirectory(Path.Combine(Path.GetDirectoryName(_folder.File("x", ""))!, "root/tools")).FullName;
        foreach (var program in (string[])["/usr/sbin/ip", "/usr/sbin/bridge", Binary.Path])
        {
            File.Copy(File.ResolveLinkTarget(program, true)?.FullName ?? program, $"{root}/{Path.GetFileName(program)}");
            foreach (var library in Binary.Run("ldd", null, program).Out.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Where(w => w.StartsWith('/')))
            {
                var there = Path.Combine(Path.GetDirectoryName(root)!, library[1..]);
                Directory.CreateDirectory(Path.GetDirectoryName(there)!);
                File.Copy(library, there, true);
            }
        }
        File.WriteAllText($"{root}/run.sh", Script);
        foreach (var (name, vcpu) in (IEnumerable<(string, int)>)[("one", 1), ("two", 2)])
        {
            File.WriteAllText($"{root}/{name}.json",
                $$"""{"networking":{"hostName":"a"},"microvm":{"vcpu":{{vcpu}},"interfaces":[{{NetworkHost.Tap("vm-a1", "br0")}},{{NetworkHost.Tap("vm-a2", "br0")}}] } }""");
        }
        File.WriteAllText($"{root}/free.json", $$"""{"networking":{"hostName":"f"},"microvm":{"interfaces":[{{NetworkHost.Tap("vm-f1")}}] } }""");
        // The kernel unpacks one archive after the other.
        var initrd = _folder.File("initrd", "");
        var packed = Binary.Run("sh", null, "-c", $"cd {Path.GetDirectoryName(root)} && find . | cpio -o -H newc --quiet | gzip -1 | cat {Binary.Root}/out/guest/initrd - > {initrd}");
        Assert.True(packed.Code == 0, packed.Err);
        var console = Binary.Run("timeout", null, ["120", "qemu-system-x86_64", "-M", "q35", "-accel", "tcg", "-m", "768", "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio",
            "-no-reboot", "-kernel", $"{Binary.Root}/out/guest/vmlinuz", "-initrd", initrd, "-append", $"console=ttyS0 quiet panic=-1 run=/tools/run.sh {string.Join(' ', GuestClock.Parameters)}"]).Out;
        Assert.True(console.Contains("finished", StringComparison.Ordinal), console);
        string[] Lines(string word) => [.. console.Split('\n').Select(l => l.Trim()).Where(l => l.StartsWith($"{word}: ", StringComparison.Ordinal)).Select(l => l[(word.Length + 2)..])];
        var before = Assert.Single(Lines("before"));
        Assert.True(before.Contains("\"vlan\":10", StringComparison.Ordinal), console);
        Assert.Equal(before, Assert.Single(Lines("after")));
        Assert.Equal(2, Lines("index").Distinct().Count());
        Assert.Contains("nothing to do", console);
        Assert.DoesNotContain("\"vlan\":", Assert.Single(Lines("none")));
        Assert.Contains("nothing to do", console[console.IndexOf("vrf: planned", StringComparison.Ordinal)..]);
        Assert.Contains("vrf: INTERFACE=vrf9", console);
    }
}
