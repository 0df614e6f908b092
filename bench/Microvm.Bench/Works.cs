using System.Diagnostics;

namespace Microvm.Bench;

/// <summary>What is measured. Contestants take turns within each round, so that a slow minute of the machine hits all alike.</summary>
internal static class Works
{
    internal static void Links(List<Result> results, Tools tools, string what, int n, Contestant[] contestants)
    {
        var rounds = n switch { <= 10 => 21, <= 100 => 15, <= 500 => 11, <= 1000 => 9, _ => 5 };
        var times = contestants.ToDictionary(c => c.Name, _ => (Up: new List<double>(), Down: new List<double>()));
        for (var round = 0; round < rounds; round++)
        {
            // Backwards in every other round, so that none always follows the same one.
            foreach (var contestant in round % 2 == 0 ? contestants : contestants.Reverse())
            {
                var slow = contestant.Name is Contestant.Documented or Contestant.Batch;
                // Brought up without a qdisc of noqueue, a tap of 256 queues takes the kernel megabytes: 24 GiB were gone at 3,631.
                if (slow && (n > 1000 || (n >= 100 && round >= 3)))
                {
                    continue;
                }
                Say($"{what} x {n}, round {round + 1} of {rounds}: {contestant.Name}");
                Settle(tools);
                times[contestant.Name].Up.Add(Child.Time(contestant.Up).Milliseconds);
                times[contestant.Name].Down.Add(Child.Time(contestant.Down).Milliseconds);
            }
        }
        foreach (var (name, (ups, downs)) in times.Where(t => t.Value.Up.Count > 0))
        {
            results.Add(new($"{what} up", n, name, [.. ups]));
            results.Add(new($"{what} down", n, name, [.. downs]));
        }
    }

    /// <summary>One tap again and again without a rest: what it takes where the processor is awake and the programs are in its caches.</summary>
    internal static void InARow(List<Result> results, Tools tools)
    {
        var contestants = Contestant.Taps(tools, 1);
        InTurn(results, "tap up in a row", words =>
        {
            var took = Child.Time(words).Milliseconds;
            Child.Time(contestants.First(c => c.Up == words).Down);
            return took;
        }, [.. contestants.Select(c => (c.Name, c.Up))]);
    }

    /// <summary>Brings the machine into the same state before each measurement: the kernel has freed what was deleted before, and one tap
    /// was just made and deleted, so that nobody pays for a processor that slept and code that nobody had run for a while.</summary>
    private static void Settle(Tools tools)
    {
        var before = Available();
        for (var wait = 0; wait < 100; wait++)
        {
            Thread.Sleep(100);
            var now = Available();
            if (Math.Abs(now - before) < 1024)
            {
                break;
            }
            before = now;
        }
        Child.Time([tools.Limit, "tap-up", "1"]);
        Child.Time([tools.Limit, "tap-down"]);
    }

    /// <summary>A second up of the same links, against our own first.</summary>
    internal static void UpToDate(List<Result> results, Tools tools, int n)
    {
        var ours = Contestant.Taps(tools, n)[0];
        var (first, second) = (new List<double>(), new List<double>());
        for (var round = 0; round < 3; round++)
        {
            Say($"up twice x {n}, round {round + 1} of 3");
            Settle(tools);
            first.Add(Child.Time(ours.Up).Milliseconds);
            second.Add(Child.Time(ours.Up).Milliseconds);
            Child.Time(ours.Down);
        }
        results.Add(new("first up", n, Contestant.Ours + " itself", [.. first]));
        results.Add(new("up where all is right", n, Contestant.Ours + " itself", [.. second]));
    }

    /// <summary>From before <c>microvm run</c> is started until a program in the hypervisor's place runs, against a shell script that ends in exec.</summary>
    internal static void UntilFirstInstruction(List<Result> results, Tools tools)
    {
        var file = tools.Write("run.json", """{"networking":{"hostName":"bench"},"microvm":{"vcpu":2,"kernel":"/dev/null","interfaces":[{"type":"tap","id":"l0","mac":"02:00:00:01:00:01"}]}}""");
        var words = Child.Time([tools.Microvm, "command", file]).Output.Trim();
        // The look that microvm.nix's own runner takes is none; an honest equivalent at least tells a missing tap.
        var script = tools.Write("run.sh", $"#!/bin/bash\nset -eou pipefail\n[ -e /sys/class/net/l0 ] || {{ echo \"no tap l0\" >&2; exit 1; }}\nexec {words}\n");
        Child.Time([tools.Microvm, "up", "--user", "0", file]);
        var bin = Directory.CreateDirectory(Path.Combine(tools.Folder, "bin")).FullName;
        File.Copy(tools.First, Path.Combine(bin, "qemu-system-x86_64"));
        var path = Environment.GetEnvironmentVariable("PATH");
        Environment.SetEnvironmentVariable("PATH", $"{bin}:{path}");
        // What `run` makes sure of before: the tap is there and has as many queues as the hypervisor asks for; KVM; no privilege is left.
        var careful = tools.Write("careful.sh", $"#!/bin/bash\nset -eou pipefail\nip -d link show dev l0 | grep -q multi_queue || {{ echo \"no multi-queue tap l0\" >&2; exit 1; }}\n"
            + $"[ -w /dev/kvm ] || echo \"no KVM\" >&2\nexec setpriv --inh-caps=-all --ambient-caps=-all --bounding-set=-all --no-new-privs {words}\n");
        InTurn(results, "run until the hypervisor's first instruction", UntilFirst,
            (Contestant.Ours + " run", [tools.Microvm, "run", file]),
            ("shell script that looks whether the tap is there", ["bash", script]),
            ("shell script that looks at what `run` looks at", ["bash", careful]));
        Environment.SetEnvironmentVariable("PATH", path);
        Child.Time([tools.Microvm, "down", file]);
    }

    private static void InTurn(List<Result> results, string work, Func<IReadOnlyList<string>, double> time, params (string Name, IReadOnlyList<string> Words)[] contestants)
    {
        var times = contestants.ToDictionary(c => c.Name, _ => new List<double>());
        for (var round = 0; round < 31; round++)
        {
            Say($"{work}, round {round + 1} of 31");
            foreach (var (name, words) in round % 2 == 0 ? contestants : contestants.Reverse())
            {
                times[name].Add(time(words));
            }
        }
        results.AddRange(times.Select(t => new Result(work, 1, t.Key, [.. t.Value])));
    }

    private static double UntilFirst(IReadOnlyList<string> words)
    {
        // Both read CLOCK_MONOTONIC, in nanoseconds.
        var before = Stopwatch.GetTimestamp();
        var first = long.Parse(Child.Time(words).Output.Trim());
        return (first - before) / 1e6;
    }

    internal static void Check(List<Result> results, Tools tools)
    {
        var file = tools.Write("check.nix", """{ microvm.interfaces = [ { type = "tap"; id = "vm-a1"; mac = "02:00:00:00:00:01"; } ]; }""");
        InTurn(results, "check of a .nix file", words => Child.Time(words).Milliseconds,
            (Contestant.Ours + " check", [tools.Microvm, "check", file]),
            ("nix-instantiate alone", ["nix-instantiate", "--store", "dummy://", "--eval", "--json", "--strict", file]));
    }

    /// <summary>What the process had in memory at most. By time(1): posix_spawn's child counts its parent's memory as its own.</summary>
    internal static void PeakMemory(List<Result> results, Tools tools, int n)
    {
        Say($"peak memory x {n}");
        var ours = Contestant.Taps(tools, n)[0];
        var report = Path.Combine(tools.Folder, "peak");
        Child.Time(["/usr/bin/time", "-f", "%M", "-o", report, .. ours.Up]);
        Child.Time(ours.Down);
        results.Add(new("peak memory of up", n, Contestant.Ours + " itself", [double.Parse(File.ReadAllText(report)) / 1024], "MiB"));
    }

    /// <summary>What the kernel has less of afterwards.</summary>
    internal static void KernelMemory(List<Result> results, Tools tools, int n)
    {
        foreach (var contestant in Contestant.Taps(tools, n).Where(c => c.Name is Contestant.Ours or Contestant.Documented))
        {
            Say($"the kernel's memory x {n}: {contestant.Name}");
            Settle(tools);
            var before = Available();
            Child.Time(contestant.Up);
            var taken = before - Available();
            Child.Time(contestant.Down);
            results.Add(new("memory that the kernel has less of", n, $"taps by {contestant.Name}", [taken / 1024], "MiB"));
        }
    }

    /// <summary>In KiB (proc(5), MemAvailable).</summary>
    private static double Available() => double.Parse(File.ReadLines("/proc/meminfo").First(l => l.StartsWith("MemAvailable", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]);

    private static void Say(string text) => Console.Error.Write(Console.IsErrorRedirected ? $"{text}\n" : $"\r\u001b[K{text}");
}
