using System.Globalization;

namespace Microvm.Tests;

/// <summary>Kernel parameters for guests on a busy machine: under TCG a guest can't measure the rate of its clock by the PIT, and stops there.</summary>
internal static class GuestClock
{
    /// <summary>The rate is told: TCG's time stamp counter is the host's. And it is trusted, since jiffies are lost where the machine is busy.</summary>
    internal static readonly string[] Parameters = [$"tsc_early_khz={Kilohertz()}", "tsc=reliable"];

    private static long Kilohertz() => File.ReadLines("/proc/cpuinfo").Where(l => l.StartsWith("cpu MHz", StringComparison.Ordinal))
        .Select(l => (long)(double.Parse(l[(l.IndexOf(':') + 1)..], CultureInfo.InvariantCulture) * 1000)).FirstOrDefault(2_500_000);
}
