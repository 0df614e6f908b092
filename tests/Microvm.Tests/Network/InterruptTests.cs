using System.Diagnostics;
using Microvm.Linux;

namespace Microvm.Tests;

/// <summary>SIGINT and SIGTERM while links are made, and while another microvm is waited for.</summary>
public sealed class InterruptTests : IDisposable
{
    private readonly NetworkHost _host = new();
    public void Dispose() => _host.Dispose();

    private Process Start(string file) =>
        Process.Start(new ProcessStartInfo(Binary.Path, ["up", "--netns", _host.Net.Name, file]) { RedirectStandardError = true, RedirectStandardOutput = true })!;

    [Theory]
    [InlineData("INT")]
    [InlineData("TERM")]
    public void An_interrupted_up_leaves_the_host_as_it_was(string signal)
    {
        var before = _host.Net.Links();
        var file = _host.Declare("a", 2, [.. Enumerable.Range(0, 3000).Select(i => NetworkHost.Tap($"t{i}"))]);
        // A fast machine may be done before the signal comes: tried again then.
        for (var attempt = 0; attempt < 5; attempt++)
        {
            using var up = Start(file);
            var printed = up.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            while (!up.HasExited && !_host.Has("t0"))
            {
            }
            Binary.Run("kill", null, $"-{signal}", $"{up.Id}");
            var said = up.StandardError.ReadToEnd();
            up.WaitForExit();
            if (up.ExitCode != 0)
            {
                Assert.Equal(1, up.ExitCode);
                Assert.Contains("interrupted; the host is as it was", said);
                Assert.Equal(before, _host.Net.Links());
                return;
            }
            _host.Done("down", file);
        }
        Assert.Fail("it was never interrupted");
    }

    [Fact]
    public void A_wait_for_another_microvm_is_told_and_can_be_interrupted()
    {
        var file = _host.Declare("a", 1, NetworkHost.Tap("vm-a1"));
        _host.Inside(_ =>
        {
            using var other = new NamespaceLock(TimeSpan.FromSeconds(30));
            using var up = Start(file);
            Assert.Contains("another microvm is at work", up.StandardError.ReadLine());
            Binary.Run("kill", null, "-INT", $"{up.Id}");
            Assert.Contains("nothing was changed", up.StandardError.ReadLine());
            up.WaitForExit();
            Assert.Equal(1, up.ExitCode);
            return 0;
        });
        Assert.False(_host.Has("vm-a1"));
        // The lock went with its holder.
        _host.Done("up", file);
    }
}
