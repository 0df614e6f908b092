namespace Microvm.Tests;

/// <summary>A running QEMU over its control socket: the guest is asked, and shuts down by itself.</summary>
public sealed class StopTests : IDisposable
{
    private readonly Folder _folder = new();
    public void Dispose() => _folder.Dispose();

    /// <summary>A socket's path must be short, so the declaration's folder is its home as well.</summary>
    private string Declare(string more, params string[] parameters)
    {
        var socket = _folder.File("vm.json", "")[..^7] + "vm.sock";
        var boot = Guest.Boot(parameters).Replace("\"socket\":null", $"\"socket\":\"{socket}\"", StringComparison.Ordinal);
        return _folder.File("vm.json", $$"""{"networking":{"hostName":"stop"},"microvm":{ {{boot}}{{more}} } }""");
    }

    [Theory]
    // On a busy machine the second way of asking may overtake the first, so each guest hears one.
    [InlineData("", "guest: asked by the power button, shutting down", "deaf=ctrl-alt-del")]
    [InlineData(",\"qemu\":{\"machine\":\"q35\"}", "guest: asked by the power button, shutting down", "deaf=ctrl-alt-del")]
    [InlineData("", "guest: asked by ctrl-alt-del, shutting down", "deaf=power")]
    public void Shutdown_lets_the_guest_sync_and_power_off_by_itself(string machine, string told, params string[] parameters)
    {
        var file = Declare(machine, parameters);
        using var guest = Guest.Run(file);
        guest.WaitFor("guest: ready");
        var stopped = Binary.Microvm("shutdown", "--timeout", "60", file);
        Assert.True(stopped.Code == 0, stopped.Err + guest.Console);
        Assert.Equal("'stop' has shut down\n", stopped.Out);
        // The last lines of the console may still be on their way.
        for (var i = 0; i < 100 && !guest.Console.Contains("guest: synced", StringComparison.Ordinal); i++)
        {
            Thread.Sleep(50);
        }
        Assert.Contains(told, guest.Console);
        Assert.Contains("guest: synced", guest.Console);
        var again = Binary.Microvm("shutdown", file);
        Assert.Equal((0, "'stop' is not running\n"), (again.Code, again.Out));
    }

    [Fact]
    public void A_guest_that_was_asked_while_it_booted_is_asked_again()
    {
        // It hears neither the button nor the keys for as long as it is asked in both ways for the first time.
        var file = Declare("", "late=5", "seconds=600");
        using var guest = Guest.Run(file);
        guest.WaitFor("guest: late");
        var stopped = Binary.Microvm("shutdown", "--timeout", "30", file);
        Assert.True(stopped.Code == 0, stopped.Err + guest.Console);
        Assert.Equal("'stop' has shut down\n", stopped.Out);
    }

    [Fact]
    public void A_guest_that_does_not_listen_is_ended_after_the_timeout_and_that_is_said()
    {
        // -S: the machine is there and its processor stands still.
        var file = Declare(",\"qemu\":{\"extraArgs\":[\"-S\"]}");
        using var guest = Guest.Run(file);
        guest.WaitFor("microvm: ");
        for (var i = 0; i < 200 && !File.Exists(file[..^7] + "vm.sock"); i++)
        {
            Thread.Sleep(50);
        }
        var stopped = Binary.Microvm("shutdown", "--timeout", "1", file);
        Assert.Equal(1, stopped.Code);
        Assert.Contains("did not shut down within 1 s, so its hypervisor was told to end", stopped.Err);
        Assert.Equal("'stop' is not running\n", Binary.Microvm("shutdown", file).Out);
    }

    [Fact]
    public void Balloon_takes_memory_from_the_guest_while_it_runs()
    {
        var file = Declare(",\"balloon\":true");
        using var guest = Guest.Run(file);
        guest.WaitFor("guest: ready");
        // It is told what the guest has once it followed, and not what it had when it was asked.
        foreach (var mebibytes in (string[])["256", "200"])
        {
            var set = Binary.Microvm("balloon", file, mebibytes);
            Assert.True(set.Code == 0, set.Err);
            Assert.Equal($"{mebibytes}\n", set.Out);
        }
    }

    [Fact]
    public void Of_a_guest_that_does_not_follow_its_balloon_is_told_what_it_has()
    {
        // -S: its processor stands still.
        var file = Declare(",\"balloon\":true,\"qemu\":{\"extraArgs\":[\"-S\"]}");
        using var guest = Guest.Run(file);
        guest.WaitFor("microvm: ");
        Assert.True(SpinWait.SpinUntil(() => File.Exists(file[..^7] + "vm.sock"), TimeSpan.FromSeconds(10)));
        Assert.Equal("512\n", Binary.Microvm("balloon", file, "200").Out);
    }

    [Fact]
    public void Without_a_balloon_or_a_socket_it_is_said_what_is_missing()
    {
        var file = Declare("");
        Assert.Contains("'stop' is not running", Binary.Microvm("balloon", file, "256").Err);
        using (var guest = Guest.Run(file))
        {
            guest.WaitFor("guest: ready");
            Assert.Contains("No balloon device", Binary.Microvm("balloon", file, "256").Err);
        }
        var deaf = _folder.File("deaf.json", $$"""{"microvm":{ {{Guest.Boot()}} } }""");
        var refused = Binary.Microvm("shutdown", deaf);
        Assert.Equal(2, refused.Code);
        Assert.Contains("has no control socket", refused.Err);
    }
}
