namespace Microvm.Tests;

/// <summary>A VM of a host gets another name, with its disks, its unit and all that is kept of it.</summary>
[Collection(nameof(SystemdHost))]
public sealed class RenamedVmTests(SystemdHost host)
{
    private const string State = "/var/lib/microvms";

    private static string Config(string id) => $$"""
        {"microvm":{"kernel":"{{SystemdHost.Guest}}/vmlinuz","initrdPath":"{{SystemdHost.Guest}}/initrd","kernelParams":["seconds=600",{{string.Join(',', GuestClock.Parameters.Select(p => $"\"{p}\""))}}],"interfaces":[{"type":"tap","id":"{{id}}","mac":"02:00:00:00:f0:01"}],
          "volumes":[{"image":"data.img","size":1,"mountPoint":"/data","autoCreate":true,"fsType":"ext4"}]} }
        """;

    private void Fleet(string name) => host.Write("/root/renamed.json", $$"""{"microvm":{"vms":{"{{name}}":{"config":{{Config("vm-ren")}},"autostart":true} } } }""");

    private string Console(string name) => host.Run("journalctl", "--no-pager", "-o", "cat", "-u", $"microvm@{name}").Out;

    [Fact]
    public void A_VM_that_has_another_name_in_a_fleet_file_is_renamed_by_what_fleet_up_says()
    {
        Fleet("before");
        host.Microvm("fleet", "up", "/root/renamed.json");
        host.Until("the guest", () => Console("before").Contains("guest: ready", StringComparison.Ordinal));
        host.Write($"{State}/before/kept", "worth keeping");

        Fleet("after");
        var told = host.Run("/usr/local/bin/microvm", "fleet", "up", "/root/renamed.json");
        Assert.Equal(1, told.Code);
        Assert.Contains("'after' has the interface 'vm-ren' (MAC 02:00:00:00:f0:01) of 'before', which is no longer in /root/renamed.json; if it is the same VM under a new name: sudo microvm stop before; sudo microvm rename before after", told.Err, StringComparison.Ordinal);
        Assert.Equal("active", host.Property("microvm@before.service", "ActiveState"));
        Assert.Equal(1, host.Run("test", "-e", $"{State}/after").Code);

        var running = host.Run("/usr/local/bin/microvm", "rename", "before", "after");
        Assert.True(running.Code == 1 && running.Err.Contains("'before' is active; stop it first: sudo microvm stop before", StringComparison.Ordinal), running.Err);
        host.Microvm("stop", "before");
        Assert.Equal("before is after now\n", host.Microvm("rename", "before", "after"));
        Assert.Equal("worth keeping", host.Do("cat", $"{State}/after/kept"));
        Assert.Equal(1, host.Run("test", "-e", $"{State}/before").Code);
        Assert.Equal(("disabled", "enabled"), (host.Run("systemctl", "is-enabled", "microvm@before").Out.Trim(), host.Run("systemctl", "is-enabled", "microvm@after").Out.Trim()));

        host.Microvm("fleet", "up", "/root/renamed.json");
        host.Until("the guest", () => Console("after").Contains("guest: ready", StringComparison.Ordinal));
        Assert.Contains("microvm:after/vm-ren", host.Do("ip", "link"), StringComparison.Ordinal);
        Assert.DoesNotContain("before", host.Microvm("list"), StringComparison.Ordinal);
        host.Microvm("stop", "after");
        host.Microvm("remove", "after", "--data");
    }

    [Fact]
    public void Where_no_runner_can_be_built_under_the_new_name_all_is_as_it_was()
    {
        host.Write("/root/named.json", Config("vm-ren2").Replace("{\"microvm\"", "{\"networking\":{\"hostName\":\"named\"},\"microvm\"", StringComparison.Ordinal));
        host.Microvm("create", "named", "--file", "/root/named.json");
        var before = host.Do("sh", "-c", $"cd {State} && ls -lR named .host/named");
        var refused = host.Run("/usr/local/bin/microvm", "rename", "named", "other");
        Assert.Equal(2, refused.Code);
        Assert.Contains("give the VM its new name in its declaration first", refused.Err, StringComparison.Ordinal);
        Assert.Equal(before, host.Do("sh", "-c", $"cd {State} && ls -lR named .host/named"));
        host.Write("/root/there.json", Config("vm-ren3"));
        host.Microvm("create", "there", "--file", "/root/there.json");
        var taken = host.Run("/usr/local/bin/microvm", "rename", "named", "there");
        Assert.True(taken.Code == 1 && taken.Err.Contains($"'there' exists already in {State}", StringComparison.Ordinal), taken.Err);
        host.Microvm("remove", "named");
        host.Microvm("remove", "there");
    }
}
