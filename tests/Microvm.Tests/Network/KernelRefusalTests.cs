namespace Microvm.Tests;

/// <summary>Every refusal that register_netdevice(), macvlan_common_newlink(), br_add_if() and tun_set_iff() of Linux 6.18 can give for a link of
/// ours: provoked with the kernel that is here, and said by `plan` or `run --dry-run` before.</summary>
/// <remarks>
/// <para>register_netdevice(), net/core/dev.c (also behind tun_set_iff() and macvlan_common_newlink()):</para>
/// <list type="table">
/// <item>dev_get_valid_name(): EINVAL of a name that is none: `check`, ValueTests.An_id_is_a_name_that_Linux_accepts and HostileNameTests;
/// EEXIST of a name or altname that is taken: here.</item>
/// <item>ethtool_check_ops(), the VLAN filter's EINVAL: a driver's mistake, of neither tun nor macvlan.</item>
/// <item>ndo_init (tun_net_init(), macvlan_init()), netdev_do_alloc_pcpu_stats(), netdev_name_node_head_alloc(), kobjects: ENOMEM; nothing can be
/// told of it before, and UndoTests and FaultTests show what follows.</item>
/// <item>dev_index_reserve(): EBUSY of an ifindex that is taken: we choose one that no link has; of one that is taken meanwhile,
/// ApplyTests.A_name_in_the_hands_of_somebody_else_is_refused_by_the_kernel_and_that_link_is_not_marked.</item>
/// <item>netdev_register_kobject(): EEXIST of `bonding_masters`: `check`, ValueTests.</item>
/// <item>NETDEV_REGISTER notifiers: sysctl_dev_name_is_allowed(), EINVAL of `all` and `default`: MacvtapTests.An_interface_named_like_a_setting_of_all_interfaces_….</item>
/// </list>
/// <para>macvlan_common_newlink(), drivers/net/macvlan.c:</para>
/// <list type="table">
/// <item>EINVAL without IFLA_LINK, and of an MTU above the lower device's: our request has the one and no MTU but its own (BridgeStaysTests).</item>
/// <item>ENODEV; macvlan_port_create(): EINVAL of the loopback, of no Ethernet device and of IFF_NO_RX_HANDLER (a VRF), EBUSY of an rx_handler that is
/// taken (a port, ipvlan, macsec); EINVAL beside or in mode passthru: here, by `check` too (CheckTests).</item>
/// <item>macvlan_validate(), macvlan_changelink_sources(): EADDRNOTAVAIL of a MAC that is none: `check`, ValueTests.A_mac_is_six_unicast_octets.</item>
/// <item>netdev_upper_dev_link(): EMLINK: here; EBUSY and EEXIST need a link that is there already. NETDEV_PRECHANGEUPPER: a switch's driver
/// refuses what it can't carry in hardware, which no look tells.</item>
/// <item>macvlan_open(): EADDRINUSE: here. dev_set_mac_address() of the lower device in mode passthru: a driver without IFF_LIVE_ADDR_CHANGE, which no
/// look tells, says EBUSY while it is up; `up` tells the kernel's reason and undoes.</item>
/// </list>
/// <para>br_add_if(), net/bridge/br_if.c, behind do_set_master():</para>
/// <list type="table">
/// <item>EOPNOTSUPP of what is no bridge: here.</item>
/// <item>EINVAL of the loopback, of no Ethernet device and of a MAC that is none, ELOOP of a bridge, EOPNOTSUPP of IFF_DONT_BRIDGE: no tap of ours is.</item>
/// <item>EBUSY of a port elsewhere: do_set_master() takes it off first (ApplyTests); of an rx_handler that is taken: here.</item>
/// <item>EXFULL of find_portno(): UpTests.A_bridge_that_would_have_too_many_ports_is_told_before_anything_is_made. EMLINK: here.</item>
/// </list>
/// <para>tun_set_iff(), drivers/net/tun.c:</para>
/// <list type="table">
/// <item>EBUSY of IFF_TUN_EXCL where the link is there, EINVAL of a link that is no tun, of the other kind and of multi_queue, EPERM of
/// tun_not_capable(), EBUSY of tun_attach() for a tap with one queue: here. A second `run` of one with more: HeldLinkTests.</item>
/// <item>E2BIG of more than MAX_TAP_QUEUES (256): no hypervisor gets more (NetworkTableTests).</item>
/// <item>EBADFD: the tap is being deleted. A security module's refusal, ENOMEM: nothing can be told of it before.</item>
/// </list>
/// </remarks>
public sealed class KernelRefusalTests : IDisposable
{
    private readonly NetworkHost _host = new();
    private readonly Folder _folder = new();

    public void Dispose()
    {
        _host.Dispose();
        _folder.Dispose();
    }

    private void Ip(string words) => _host.Net.Ip(words.Split(' '));
    private const string Veth = "link add eth0 type veth peer name far0";
    private static readonly string s_mac = NetworkHost.MacOf("vm-a1");
    private const string Nested = "link add v1 type vxlan id 1 dstport 4801 dev eth0 group 239.1.1.1";
    private static readonly string s_upon = string.Concat(Enumerable.Range(2, 6).Select(n => $"\nlink add v{n} type vxlan id {n} dstport {4800 + n} dev v{n - 1} group 239.1.1.1"));

    /// <param name="setUp">Commands of ip(8), one a line.</param>
    /// <param name="attempt">What the kernel is to refuse; lines before the last are to work.</param>
    /// <param name="kernel">The kernel's words.</param>
    /// <param name="lower">The lower device and mode of the macvtap vm-a1, or "tap" or "tap:BRIDGE".</param>
    /// <param name="said">What `plan` says.</param>
    [Theory]
    // macvlan_common_newlink(): ENODEV, and macvlan_port_create()'s EINVAL and EBUSY.
    [InlineData("", "link add link eth9 name vm-a1 type macvtap", "Cannot find device", "eth9 bridge", "'eth9', which is not there")]
    [InlineData("", "link add link lo name vm-a1 type macvtap", "Invalid argument", "lo bridge", "'lo', which is the loopback device")]
    [InlineData("tuntap add tun0 mode tun", "link add link tun0 name vm-a1 type macvtap", "Invalid argument", "tun0 bridge", "'tun0', which is no Ethernet device")]
    [InlineData(Veth + "\nlink add br0 type bridge\nlink set eth0 master br0", "link add link eth0 name vm-a1 type macvtap", "Device or resource busy", "eth0 bridge", "a port of the bridge 'br0'")]
    // Its EINVAL for mode passthru.
    [InlineData(Veth + "\nlink add link eth0 name p0 type macvtap mode passthru", "link add link eth0 name vm-a1 type macvtap mode bridge", "Invalid argument", "eth0 bridge", "'p0' uses exclusively in mode passthru")]
    [InlineData(Veth + "\nlink add link eth0 name m0 type macvlan mode bridge", "link add link eth0 name vm-a1 type macvtap mode passthru", "Invalid argument", "eth0 passthru", "needs it exclusively, but 'm0' uses it")]
    // netdev_upper_dev_link(): EMLINK.
    [InlineData("NESTED", "link add link v7 name vm-a1 type macvtap", "Too many links", "v7 bridge", "on which no further link can stand")]
    // The same from br_add_if(), of what stands on the bridge.
    [InlineData("NESTEDBRIDGE", "tuntap add t0 mode tap\nlink set t0 master br0", "Too many links", "tap:br0", "to which nothing more can be attached")]
    // macvlan_open(): EADDRINUSE.
    [InlineData("link add eth0 address MAC type veth peer name far0", "link add link eth0 name vm-a1 address MAC type macvtap\nlink set vm-a1 up", "Address already in use", "eth0 bridge", "whose own MAC is the one that is declared")]
    [InlineData(Veth + "\nlink set eth0 up\nlink add link eth0 name m0 address MAC type macvlan mode bridge\nlink set m0 up",
        "link add link eth0 name vm-a1 address MAC type macvtap mode bridge\nlink set vm-a1 up", "Address already in use", "eth0 bridge", "on which 'm0' has the MAC that is declared already")]
    // register_netdevice(): EEXIST. tun_set_iff(): EBUSY of a name that is taken.
    [InlineData(Veth + "\nlink add vm-a1 type bridge", "link add link eth0 name vm-a1 type macvtap", "File exists", "eth0 bridge", "a link 'vm-a1' already exists and was not created by microvm")]
    [InlineData("link add vm-a1 type bridge", "tuntap add vm-a1 mode tap", "Device or resource busy", "tap", "a link 'vm-a1' already exists and was not created by microvm")]
    // Both, of an altname.
    [InlineData(Veth + "\nlink property add dev far0 altname vm-a1", "link add link eth0 name vm-a1 type macvtap", "File exists", "eth0 bridge", "'vm-a1' is an altname of 'far0'")]
    [InlineData(Veth + "\nlink property add dev far0 altname vm-a1", "tuntap add vm-a1 mode tap", "Device or resource busy", "tap", "'vm-a1' is an altname of 'far0'")]
    // do_set_master(): EOPNOTSUPP of what is no bridge.
    [InlineData(Veth, "tuntap add t0 mode tap\nlink set t0 master eth0", "Operation not supported", "tap:eth0", "'vm-a1' needs the bridge 'eth0', but that link is a veth")]
    public void What_the_kernel_refuses_plan_has_said(string setUp, string attempt, string kernel, string lower, string said)
    {
        setUp = setUp == "NESTEDBRIDGE" ? $"link add br0 type bridge\n{Nested.Replace("eth0", "br0", StringComparison.Ordinal)}{s_upon}" : setUp == "NESTED" ? $"{Veth}\n{Nested}{s_upon}" : setUp;
        Array.ForEach(setUp.Replace("MAC", s_mac).Split('\n', StringSplitOptions.RemoveEmptyEntries), Ip);
        var before = _host.Net.Links();
        var file = _host.Declare("a", 1, lower.Split(':', ' ') switch
        {
            ["tap"] => NetworkHost.Tap("vm-a1"),
            ["tap", var bridge] => NetworkHost.Tap("vm-a1", bridge),
            [var device, var mode] => NetworkHost.Macvtap("vm-a1", device, mode),
            _ => throw new ArgumentException(lower),
        });
        foreach (var command in (string[])["plan", "up"])
        {
            var told = _host.Microvm(command, file);
            Assert.True(told.Code == 1, $"{command}: {told.Code}: {told.Out}{told.Err}");
            Assert.Contains(said, told.Err);
        }
        // The doctor looks at the host in his own words, and names the same obstacle.
        var findings = System.Text.Json.JsonDocument.Parse(_host.Microvm("doctor", "--json", file).Out).RootElement.GetProperty("findings").EnumerateArray()
            .Where(f => f.GetProperty("severity").GetString() == "problem" && f.GetProperty("check").GetString() is "refusals" or "lower-devices" or "bridges" or "clashes" && !f.GetProperty("found").GetString()!.EndsWith("is down", StringComparison.Ordinal))
            .Select(f => $"{f.GetProperty("check")}: {f.GetProperty("found")} {f.GetProperty("why")}").ToList();
        Assert.True(findings.Exists(f => f.Contains("vm-a1", StringComparison.Ordinal) || f.Contains(lower.Split(':', ' ') is [not "tap", var d] ? lower.Split(' ')[0] : lower.Split(':')[^1], StringComparison.Ordinal)), $"doctor: {string.Join('\n', findings)}");
        Assert.Equal(before, _host.Net.Links());
        var lines = attempt.Replace("MAC", s_mac).Split('\n');
        Array.ForEach(lines[..^1], Ip);
        var refused = Binary.Run("ip", null, ["-n", _host.Net.Name, .. lines[^1].Split(' ')]);
        Assert.NotEqual(0, refused.Code);
        Assert.Contains(kernel, refused.Err);
    }

    [Fact]
    public void Of_two_like_macs_one_that_is_down_is_no_hindrance_and_a_macvtap_that_is_right_is_kept()
    {
        Ip(Veth);
        Ip($"link add link eth0 name m0 address {s_mac} type macvlan mode bridge");
        var file = _host.Declare("a", 1, NetworkHost.Macvtap("vm-a1", "eth0", "bridge"));
        _host.Done("up", file);
        Assert.Contains("nothing to do", _host.Done("up", file).Out);
    }

    [Fact]
    public void A_tap_on_which_a_macvlan_stands_is_told_to_be_no_port_before_the_kernel_does()
    {
        _host.Done("up", _host.Declare("a", 1, NetworkHost.Tap("vm-a1")));
        Ip("link add link vm-a1 name m0 type macvlan");
        Ip("link add br0 type bridge");
        var plan = _host.Microvm("plan", _host.Declare("a", 1, NetworkHost.Tap("vm-a1", "br0")));
        Assert.Equal(1, plan.Code);
        Assert.Contains("'vm-a1' needs the bridge 'br0', but 'm0', a macvlan, is on top of it", plan.Err);
        var refused = Binary.Run("ip", null, "-n", _host.Net.Name, "link", "set", "vm-a1", "master", "br0");
        Assert.Contains("Device or resource busy", refused.Err);
    }

    // Opens a tap as a hypervisor does (TUNSETIFF), and tells the errno.
    private const string Open = "open(my $f, '+<', '/dev/net/tun') or die; my $r = pack('Z16 S x22', $ARGV[0], hex $ARGV[1]); ioctl($f, 0x400454ca, $r) or print grep { $!{$_} } keys %!;";

    /// <summary>tun_set_iff() of a tap that is there: each errno, and what `run --dry-run` says of the same tap to the same user.</summary>
    [Theory]
    [InlineData("tuntap add vm-a1 mode tap vnet_hdr user 65534", "", 0)]
    [InlineData("tuntap add vm-a1 mode tun user 65534", "EINVAL", 0, "is there but is no tap")]
    [InlineData("link add vm-a1 type bridge", "EINVAL", 0, "is there but is no tap")]
    [InlineData("tuntap add vm-a1 mode tap vnet_hdr multi_queue user 65534", "EINVAL", 0, "is multi_queue")]
    [InlineData("tuntap add vm-a1 mode tap vnet_hdr user 65534", "EINVAL", 0x100, "lacks multi_queue")]
    [InlineData("tuntap add vm-a1 mode tap vnet_hdr user 1234", "EPERM", 0, "belongs to user 1234, and the VM would run as user 65534")]
    [InlineData("tuntap add vm-a1 mode tap vnet_hdr user 65534 group 1234", "EPERM", 0, "is for group 1234, in which user 65534 is not")]
    [InlineData("tuntap add vm-a1 mode tap vnet_hdr user 65534", "EBUSY", 0, "is open in a process that can't be seen from here")]
    [InlineData("", "EPERM", 0, "is not there; make it with")]
    public void What_the_kernel_refuses_to_open_a_dry_run_has_said(string setUp, string errno, int flags, string? said = null)
    {
        Assert.SkipWhen(File.Exists($"{Binary.Path}.dll"), "a managed build can't be copied alone");
        if (setUp.Length > 0)
        {
            Ip(setUp);
        }
        using var holder = errno == "EBUSY" ? new Holder(_host.Net.Name, "vm-a1") : null;
        var binary = _folder.File("microvm", "");
        File.Copy(Binary.Path, binary, true);
        var file = _folder.File("vm.json", $$"""{"networking":{"hostName":"a"},"microvm":{"kernel":"/etc/hostname","vcpu":{{(flags == 0 ? 1 : 2)}},"interfaces":[{{NetworkHost.Tap("vm-a1")}}] } }""");
        Assert.Equal(0, Binary.Run("chmod", null, "-R", "a+rX", Path.GetDirectoryName(binary)!).Code);
        Binary.Outcome Nobody(params string[] words) => Binary.Run("ip", null, ["netns", "exec", _host.Net.Name, "sh", "-c",
            "mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200 && exec \"$@\"", "sh", "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", .. words]);
        var dry = Nobody(binary, "run", "--dry-run", file);
        // IFF_TAP, IFF_NO_PI, IFF_VNET_HDR.
        Assert.Equal(errno, Nobody("perl", "-MErrno", "-e", Open, "vm-a1", $"{0x5002 | flags:x}").Out.Trim());
        Assert.True(dry.Code == (said is null ? 0 : 1), dry.Out + dry.Err);
        Assert.Contains(said is null ? "start " : $"missing  the {(said.StartsWith("is there", StringComparison.Ordinal) ? "link" : "tap")} 'vm-a1' {said}", dry.Out);
    }
}
