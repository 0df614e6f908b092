using System.Diagnostics;

namespace Microvm.Tests;

/// <summary>The fault harness (tests/faults): a sample of its trials, or with MICROVM_TEST_ALL every one.</summary>
public sealed class FaultTests(ITestOutputHelper output)
{
    /// <summary>Nothing may be left half-done, whichever system call fails or is the last.</summary>
    [Fact]
    public void Every_fault_leaves_the_host_as_before_or_as_wanted()
    {
        var all = Environment.GetEnvironmentVariable("MICROVM_TEST_ALL") is { Length: > 0 };
        var configuration = Path.GetFileName(Path.GetDirectoryName(AppContext.BaseDirectory.TrimEnd('/')))!;
        var harness = Path.Combine(Binary.Root, "tests", "faults", "bin", configuration, "net10.0", "microvm-faults");
        string[] extent = all ? ["--all", "--write", Path.Combine(Binary.Root, "docs", "reliability.md")] : ["--seconds", "75", "--seed", $"{Stopwatch.GetTimestamp() % 1_000_000}"];
        var outcome = Binary.Run(harness, null, [Binary.Path, .. extent]);
        output.WriteLine($"{outcome.Out}{outcome.Err}");
        Directory.CreateDirectory(Path.Combine(Binary.Root, "out"));
        File.WriteAllText(Path.Combine(Binary.Root, "out", "faults.txt"), outcome.Out);
        Assert.True(outcome.Code == 0, $"{string.Join(' ', extent)}\n{outcome.Out}{outcome.Err}");
    }
}
