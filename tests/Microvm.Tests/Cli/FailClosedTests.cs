using System.Globalization;

namespace Microvm.Tests;

/// <summary>The runtime's own thread can't, or does not in time, give up what it may do: then nothing is read and nothing done. strace makes
/// the kernel refuse that thread alone: it asks once more than the first one does, for its name.</summary>
public sealed class FailClosedTests : IDisposable
{
    private readonly Folder _folder = new();
    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("error=EPERM")]
    [InlineData("delay_enter=7000000")]
    public void A_thread_that_keeps_its_privileges_ends_the_command_before_anything_is_read(string harm)
    {
        Assert.SkipWhen(File.Exists($"{Binary.Path}.dll"), "a managed runtime has more threads");
        var vm = _folder.File("vm.json", """{"networking":{"hostName":"a"},"microvm":{"interfaces":[{"type":"tap","id":"vm-a1","mac":"02:00:00:00:00:01"}]}}""");
        var trace = Path.Combine(Path.GetDirectoryName(vm)!, "trace");
        Binary.Outcome Traced(string? inject) => Binary.Run("strace", null, ["-f", "-qq", "-o", trace, "-e", "trace=prctl,openat", .. inject is null ? Array.Empty<string>() : ["-e", inject], Binary.Path, "check", vm]);

        Assert.Equal(0, Traced(null).Code);
        var threads = File.ReadLines(trace).Where(l => l.Contains("prctl(", StringComparison.Ordinal)).ToLookup(l => l.Split(' ')[0]);
        Assert.Equal(2, threads.Count);
        var finalizer = threads.Single(t => t.Any(l => l.Contains("PR_SET_NAME", StringComparison.Ordinal)));
        Assert.Equal(threads.Single(t => t != finalizer).Count() + 1, finalizer.Count());
        Assert.Contains(File.ReadLines(trace), l => l.Contains(vm, StringComparison.Ordinal));

        var refused = Traced($"inject=prctl:{harm}:when={finalizer.Count().ToString(CultureInfo.InvariantCulture)}");
        Assert.Equal(1, refused.Code);
        Assert.Contains("it still has them, so nothing is read and nothing done", refused.Err, StringComparison.Ordinal);
        Assert.DoesNotContain(File.ReadLines(trace), l => l.Contains(vm, StringComparison.Ordinal));
    }
}
