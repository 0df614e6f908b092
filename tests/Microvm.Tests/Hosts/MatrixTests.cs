namespace Microvm.Tests;

/// <summary>Hypervisors with KVM, for real: <c>tests/Hosts/matrix</c> on a real host. QEMU always; the others where somebody has them.</summary>
[Collection(nameof(RealHost))]
public sealed class MatrixTests(RealHost host)
{
    /// <summary>A folder whose bin/ has other hypervisors.</summary>
    private static readonly string? s_hypervisors = Environment.GetEnvironmentVariable("MICROVM_HYPERVISORS") is { Length: > 0 } named ? named : null;

    [Fact]
    public void A_guest_on_each_hypervisor_that_is_here_answers_has_its_MAC_and_queues_and_shuts_down()
    {
        // With all of it: four types, one and two vCPUs, root and a user, a terminal and none, vhost.
        var all = Environment.GetEnvironmentVariable("MICROVM_TEST_ALL") is { Length: > 0 };
        host.Do($"""
            systemd-run --quiet --collect --unit=matrix --setenv=PATH="$PATH" bash -c '/mnt/matrix --binary {Binary.Path} --guest {Binary.Root}/out/guest --results /root/results.tsv {(s_hypervisors is null ? "" : $"--hypervisors {s_hypervisors}")} {(all ? "" : "--short")} > /root/matrix.log 2>&1; echo $? > /root/matrix.code'
            """);
        for (var minutes = 0; host.Try("for n in $(seq 600); do [ ! -e /root/matrix.code ] || exit 0; sleep 0.1; done; exit 1").Code != 0; minutes++)
        {
            Assert.True(minutes < 60, host.Do("cat /root/matrix.log"));
        }
        var results = host.Do("cat /root/results.tsv");
        File.WriteAllText(Path.Combine(Binary.Root, "out", "matrix.tsv"), results);
        Assert.True(host.Do("cat /root/matrix.code").Trim() == "0", host.Do("cat /root/matrix.log"));
        var lines = results.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split('\t')).ToList();
        Assert.Equal(all ? 34 : 4, lines.Count(l => l is [_, _, "qemu", .., "yes"]));
        // What is not here is named, and counts for nothing.
        Assert.Equal(7, lines.Select(l => l[2]).Distinct().Count());
        Assert.All(lines, l => Assert.True(l[^1] is "yes" or "not run: it is not here"));
    }
}
