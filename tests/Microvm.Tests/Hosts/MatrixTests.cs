namespace Microvm.Tests;

/// <summary>Hypervisors with KVM, for real: <c>tests/Hosts/matrix</c> on a real host. QEMU always; the others where somebody has them.</summary>
[Collection(nameof(RealHost))]
public sealed class MatrixTests
{
    /// <summary>A folder whose bin/ has other hypervisors.</summary>
    private static readonly string? s_hypervisors = Environment.GetEnvironmentVariable("MICROVM_HYPERVISORS") is { Length: > 0 } named ? named : null;

    [Fact]
    public void A_guest_on_each_hypervisor_that_is_here_answers_has_its_MAC_and_queues_and_shuts_down()
    {
        // With all of it: four types, one and two vCPUs, root and a user, a terminal and none, vhost.
        var all = Environment.GetEnvironmentVariable("MICROVM_TEST_ALL") is { Length: > 0 };
        var results = new List<string>();
        var boots = 0;
        var again = 2;
        // QEMU's emulation of SVM now and then brings the kernel down that runs KVM in it, or has it hang: "TASK stack guard page was hit", outside of
        // anything of ours. Another host goes on with the next line.
        // A guest that came to nothing is taken for another sign of it, twice.
        while (!Runs(all ? "" : "--short", results) || (results.FindIndex(IsBad) is >= 0 and var bad && again-- > 0 && Forget(results, bad)))
        {
            Assert.True(++boots < (all ? 20 : 5), $"the kernel of the host went down {boots} times, after\n{string.Join('\n', results)}");
        }
        File.WriteAllLines(Path.Combine(Binary.Root, "out", "matrix.tsv"), results);
        var lines = results.ConvertAll(l => l.Split('\t'));
        // What is not here is named, and counts for nothing.
        Assert.All(lines, l => Assert.False(IsBad(l[^1]), string.Join('\n', results)));
        Assert.Equal(all ? 34 : 5, lines.Count(l => l is [_, _, "qemu", .., "yes"]));
        Assert.Equal(7, lines.Select(l => l[2]).Distinct().Count());
    }

    private static bool IsBad(string result) => result.Split('\t')[^1] is not ("yes" or "not run: it is not here");

    private static bool Forget(List<string> results, int from)
    {
        results.RemoveRange(from, results.Count - from);
        return true;
    }

    /// <summary>Goes on after the results that are there, and adds to them.</summary>
    /// <returns>Whether it came to the end.</returns>
    private static bool Runs(string more, List<string> results)
    {
        using var host = new RealHost { Patience = TimeSpan.FromMinutes(1) };
        try
        {
            host.Do($"""
                systemd-run --quiet --collect --unit=matrix --setenv=PATH="$PATH" bash -c '/mnt/matrix --binary {Binary.Path} --guest {Binary.Root}/out/guest --results /root/results.tsv --after {results.Count} {(s_hypervisors is null ? "" : $"--hypervisors {s_hypervisors}")} {more} > /root/matrix.log 2>&1; touch /root/matrix.done'
                """);
            var before = results.ToList();
            for (var done = false; !done;)
            {
                // What was seen until now is known here, should the next guest be the host's last.
                done = host.Try("for n in $(seq 30); do [ ! -e /root/matrix.done ] || exit 0; sleep 0.1; done; exit 1").Code == 0;
                results.Clear();
                results.AddRange([.. before, .. host.Do("cat /root/results.tsv").Split('\n', StringSplitOptions.RemoveEmptyEntries)]);
            }
            return true;
        }
        catch (HostIsGoneException)
        {
            return false;
        }
    }
}
