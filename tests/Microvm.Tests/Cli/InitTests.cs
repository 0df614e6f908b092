namespace Microvm.Tests;

public sealed class InitTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("microvm-init-").FullName;
    public void Dispose() => Directory.Delete(_folder, true);

    public static TheoryData<string, string, string> Every()
    {
        var data = new TheoryData<string, string, string>();
        foreach (var hypervisor in Microvm.Declaration.DeclarationReader.Hypervisors)
        {
            foreach (var type in (string[])["user", "tap", "macvtap", "bridge"])
            {
                data.Add(hypervisor, type, type is "tap" or "user" ? "nix" : "json");
            }
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Every))]
    public void What_init_writes_passes_check_for_every_type_and_hypervisor(string hypervisor, string type, string format)
    {
        var file = Path.Combine(_folder, $"vm.{format}");
        var outcome = Binary.Microvm("init", "--name", "web", "--hypervisor", hypervisor, "--type", type, "-o", file);
        if (outcome.Code == 2)
        {
            // What this hypervisor can't have is refused in words, and nothing is written.
            Assert.Contains(hypervisor, outcome.Err);
            Assert.False(File.Exists(file));
            return;
        }
        Assert.True(outcome.Code == 0, outcome.Err);
        var check = Binary.Microvm("check", file);
        Assert.True(check.Code == 0, check.Out);
        // kvmtool's user network has no DHCP, and check says what the guest needs for it.
        Assert.Equal(hypervisor == "kvmtool" && type == "user", check.Out.Split('\n').Any(l => l.Contains("warning") && !l.Contains("on this host") && !l.Contains("can't ask its guest to shut down")));
    }

    [Theory]
    [InlineData("")]
    [InlineData("--name web")]
    [InlineData("--name a-name-of-sixty-three-characters-which-is-the-most-there-can-be")]
    [InlineData("--name 9lives")]
    [InlineData("--id eth-x")]
    [InlineData("--type tap")]
    [InlineData("--type tap --bridge br0")]
    [InlineData("--bridge br0")]
    [InlineData("--bridge br0 --id vm-é")]
    [InlineData("--link eth0")]
    [InlineData("--type macvtap")]
    [InlineData("--type macvtap --link eth0.100")]
    [InlineData("--type bridge")]
    [InlineData("--type bridge --bridge virbr0")]
    [InlineData("--type user")]
    [InlineData("--hypervisor firecracker --link eth0")]
    [InlineData("--hypervisor cloud-hypervisor --bridge br0 --name web --id vm-web")]
    public void Flags_in_every_combination_give_what_check_accepts_in_both_languages_and_the_same_of_it(string flags)
    {
        var words = flags.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var (nix, json) = (Path.Combine(_folder, "vm.nix"), Path.Combine(_folder, "vm.json"));
        foreach (var file in new[] { nix, json })
        {
            var outcome = Binary.Microvm(["init", .. words, "-o", file]);
            Assert.True(outcome.Code == 0, outcome.Err);
            Assert.Equal(0, Binary.Microvm("check", file).Code);
        }
        Assert.Equal(Binary.Microvm("topology", nix).Out, Binary.Microvm("topology", json).Out);
        Assert.Equal(File.ReadAllText(nix), Binary.Microvm(["init", .. words]).Out);
    }

    [Theory]
    [InlineData("--bridge br0 --link eth0")]
    [InlineData("--type user --bridge br0")]
    [InlineData("--type user --link eth0")]
    [InlineData("--type macvtap --bridge br0")]
    [InlineData("--type tap --link eth0")]
    [InlineData("--type bridge --link eth0")]
    [InlineData("--type wire")]
    [InlineData("--hypervisor vbox")]
    [InlineData("--hypervisor vfkit --type tap")]
    public void Flags_that_contradict_each_other_are_wrong_usage_and_nothing_is_written(string flags)
    {
        var file = Path.Combine(_folder, "vm.nix");
        Assert.Equal(2, Binary.Microvm(["init", .. flags.Split(' '), "-o", file]).Code);
        Assert.False(File.Exists(file));
    }

    [Fact]
    public void Without_a_terminal_and_flags_it_prints_the_usual_declaration_and_it_passes_check()
    {
        var outcome = Binary.Microvm("init");
        Assert.Equal(0, outcome.Code);
        Assert.Contains("# Ethernet address of the MicroVM's interface", outcome.Out);
        var file = Path.Combine(_folder, "vm.nix");
        File.WriteAllText(file, outcome.Out);
        Assert.Equal((0, "1 VM, 1 interface: all right\n"), (Binary.Microvm("check", file).Code, Binary.Microvm("check", file).Out));
    }

    [Fact]
    public void A_file_that_is_there_is_never_overwritten()
    {
        var file = Path.Combine(_folder, "vm.nix");
        File.WriteAllText(file, "mine");
        var outcome = Binary.Microvm("init", "-o", file);
        Assert.Equal(1, outcome.Code);
        Assert.Equal("mine", File.ReadAllText(file));
        Assert.DoesNotContain("   at ", outcome.Err);
    }

    [Theory]
    [InlineData("--name", "a b", "is not a host name")]
    [InlineData("--id", "way-too-long-for-linux", "can't be an interface name")]
    [InlineData("--bridge", "b/r", "can't be an interface name")]
    [InlineData("--name", "a\nb", "is not a host name")]
    public void Answers_that_check_would_refuse_are_refused(string option, string value, string says)
    {
        var file = Path.Combine(_folder, "vm.nix");
        var outcome = Binary.Microvm("init", option, value, "-o", file);
        Assert.Equal(2, outcome.Code);
        Assert.Contains(says, outcome.Err);
        Assert.False(File.Exists(file));
    }

    [Fact]
    public void Options_that_contradict_each_other_are_wrong_usage() =>
        Assert.Contains("type user takes neither", Binary.Microvm("init", "--type", "user", "--bridge", "br0").Err);

    [Fact]
    public void Hostile_text_stays_text_in_nix()
    {
        var file = Path.Combine(_folder, "vm.nix");
        Assert.Equal(0, Binary.Microvm("init", "--id", "a${x}\"\\", "-o", file).Code);
        var check = Binary.Microvm("check", file);
        Assert.True(check.Code == 0, check.Out);
        Assert.Contains("a${x}", Binary.Microvm("explain", file).Out);
    }

    [Fact]
    public void On_a_terminal_it_asks_four_questions_and_asks_again_after_a_slip()
    {
        var outcome = Binary.Run("env", "web\n\nmacvtab\nmacvtap\nenp1s0\n", "-C", _folder, "script", "-qec", $"{Binary.Path} init", "/dev/null");
        Assert.True(outcome.Code == 0, outcome.Out);
        Assert.Contains("Name of the VM [vm]: ", outcome.Out);
        Assert.Contains("did you mean 'macvtap'?", outcome.Out);
        Assert.Contains("wrote web.nix", outcome.Out);
        Assert.Contains("macvtap.link = \"enp1s0\";", File.ReadAllText(Path.Combine(_folder, "web.nix")));
        Assert.Equal(0, Binary.Microvm("check", Path.Combine(_folder, "web.nix")).Code);
    }

    [Fact]
    public void Names_that_begin_alike_get_ids_that_differ()
    {
        string Id(string name) => System.Text.RegularExpressions.Regex.Match(Binary.Microvm("init", "--name", name, "--type", "tap").Out, "id = \"([^\"]+)\"").Groups[1].Value;
        string[] names = ["customer-database-1", "customer-database-2", "customer-databases", "vm-customer-database-1", "vm-customer-database-2", "web", "twelve-bytes"];
        var ids = names.Select(Id).ToList();
        Assert.All(ids, i => Assert.InRange(System.Text.Encoding.UTF8.GetByteCount(i), 1, 15));
        // 'vm-' in front is the same VM's to a reader; of all others none is another's.
        Assert.Equal(5, ids.Distinct().Count());
        Assert.StartsWith("vm-custo-", ids[0]);
        Assert.Equal(("vm-web", "vm-twelve-bytes"), (ids[5], ids[6]));
        Assert.Equal(ids[0], Id(names[0]));
    }
}
