using CsCheck;
using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network;

namespace Microvm.Tests;

[Trait("needs", "nothing")]
public class ValueTests
{
    [Theory]
    [InlineData("vm-a1", true)]
    [InlineData("fifteen-bytes-x", true)]
    [InlineData("sixteen-bytes-xx", false)]
    [InlineData("üüüüüüüü", false)]
    [InlineData("", false)]
    [InlineData(".", false)]
    [InlineData("..", false)]
    [InlineData("all", false)]
    [InlineData("default", false)]
    [InlineData("all1", true)]
    [InlineData("bonding_masters", false)]
    [InlineData("a/b", false)]
    [InlineData("a:b", false)]
    [InlineData("a b", false)]
    [InlineData("a\u0001", false)]
    [InlineData("tap%d", false)]
    public void An_id_is_a_name_that_Linux_accepts(string text, bool good) => Assert.Equal(good, InterfaceName.TryParse(text, out _, out _));

    [Theory]
    [InlineData("sixteen-bytes-xx", true)]
    [InlineData("br0", true)]
    [InlineData(127, true)]
    [InlineData(128, false)]
    [InlineData("a b", false)]
    public void A_device_of_the_host_may_go_by_an_altname(object text, bool good) =>
        Assert.Equal(good, InterfaceName.TryParseOfDevice(text as string ?? new('n', (int)text), out _, out _));

    [Theory]
    [InlineData("02:00:00:00:00:01", true)]
    [InlineData("02:00:00:00:00", false)]
    [InlineData("01:00:00:00:00:01", false)]
    [InlineData("ff:ff:ff:ff:ff:ff", false)]
    [InlineData("00:00:00:00:00:00", false)]
    [InlineData("2:0:0:0:0:1", false)]
    [InlineData("02-00-00-00-00-01", false)]
    [InlineData("0x:00:00:00:00:01", false)]
    public void A_mac_is_six_unicast_octets(string text, bool good) => Assert.Equal(good, MacAddress.TryParse(text, out _, out _));

    [Fact]
    public void Locally_administered_is_told_by_the_second_nibble()
    {
        foreach (var nibble in "02468aceACE")
        {
            Assert.True(MacAddress.TryParse($"0{nibble}:00:00:00:00:01", out var mac, out _));
            Assert.Equal("26aeAE".Contains(nibble), mac.IsLocallyAdministered);
        }
    }

    [Fact]
    public void A_mac_prints_as_it_was_read() => Gen.Byte.Array[6].Sample(octets =>
    {
        var text = string.Join(':', octets.Select(o => o.ToString("x2")));
        var wanted = (octets[0] & 1) == 0 && octets.Any(o => o != 0);
        Assert.Equal(wanted, MacAddress.TryParse(text, out var mac, out _));
        if (wanted)
        {
            Assert.Equal(text, mac.ToString());
            Assert.Equal(octets, mac.ToBytes());
            Assert.Equal((octets[0] & 2) != 0, mac.IsLocallyAdministered);
        }
    });

    [Fact]
    public void Any_bytes_are_read_as_a_link_or_not_at_all_without_a_crash() =>
        Gen.Byte.Array[0, 200].Sample(bytes => { _ = Link.Parse(bytes); });

    [Fact]
    public void Written_attributes_are_read_back() => Gen.Select(Gen.String[0, 300], Gen.UInt).Sample((text, number) =>
    {
        text = text.Replace("\0", "").Replace('\ud800', '?');
        text = System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(text));
        var writer = new NetlinkWriter();
        writer.Begin(16, 0, 1).IfInfo(7).Attribute(20, text).Attribute(3, "x").Attribute(27, number).End();
        var message = writer.Written;
        Assert.Equal((uint)message.Length, BitConverter.ToUInt32(message));
        var link = Link.Parse(message[16..])!;
        Assert.Equal((7, text, number), (link.Index, link.Alias, link.Group));
    });

    [Fact]
    public void Two_vms_never_share_a_link_group()
    {
        var first = Ownership.LinkGroup("a", _ => false);
        Assert.NotEqual(first, Ownership.LinkGroup("a", g => g == first));
    }
}
