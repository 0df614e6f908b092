using System.Diagnostics;
using System.Text.Json;

namespace Microvm.Tests;

/// <summary>A host of its own for one test: a mount and a network namespace, with copies of the directories that a doctor's command writes to.</summary>
internal sealed class IllHost : IDisposable
{
    // What a test changes lies in a tmpfs over these; the machine below stays as it is.
    private const string Start = """
        set -e
        mount -t tmpfs none "$1"; mkdir "$1/bin"
        for place in /etc /usr/lib/qemu; do
            [ -d $place ] || continue
            mkdir -p "$1$place/upper" "$1$place/work"
            mount -t overlay none -o "lowerdir=$place,upperdir=$1$place/upper,workdir=$1$place/work" $place
        done
        mount -t tmpfs none /run
        printf '#!/bin/sh\nexec "$@"\n' > "$1/bin/sudo"; chmod +x "$1/bin/sudo"
        ip link set lo up
        read -r process rest < /proc/self/stat; echo "ready $process"; exec cat
        """;

    // Only inside is there such a file. Where /proc tells of other processes than ours (a container), the namespaces would be somebody else's.
    private const string Guard = "[ -x \"$0\" ] || { echo 'these are not the namespaces of the test' >&2; exit 99; }; exec \"$@\"";

    private readonly string _folder = Directory.CreateTempSubdirectory("microvm-ill-").FullName;
    private readonly Process _holder;
    private readonly string _number = "";

    internal IllHost()
    {
        _holder = Process.Start(new ProcessStartInfo("unshare", ["--mount", "--net", "--propagation", "private", "sh", "-c", Start, "sh", _folder])
        { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        // nsenter looks into /proc, which in a container may number processes in another way than we do.
        if (_holder.StandardOutput.ReadLine()?.Split(' ') is not ["ready", var number])
        {
            Assert.Fail(_holder.StandardError.ReadToEnd());
            return;
        }
        _number = number;
    }

    public void Dispose()
    {
        _holder.StandardInput.Close();
        _holder.WaitForExit();
        _holder.Dispose();
        Directory.Delete(_folder, true);
    }

    /// <summary>The process whose namespaces they are.</summary>
    internal int Id => _holder.Id;

    /// <summary>Who runs VMs, as sudo tells it.</summary>
    internal uint? Person { get; set; }

    internal Binary.Outcome Try(params string[] command) => Binary.Run("nsenter", null,
        ["--target", _number, "--mount", "--net", "--", "sh", "-c", Guard, $"{_folder}/bin/sudo", "env", $"PATH={_folder}/bin:{Environment.GetEnvironmentVariable("PATH")}", .. Person is { } p ? [$"SUDO_UID={p}"] : Array.Empty<string>(), .. command]);

    /// <summary>Runs a shell script inside; it must succeed.</summary>
    internal string Do(string script)
    {
        var outcome = Try("sh", "-c", script);
        Assert.True(outcome.Code == 0, $"{script}: {outcome.Out}{outcome.Err}");
        return outcome.Out;
    }

    /// <summary>A program that a mending command calls and that this host can't have.</summary>
    internal void Stub(string name) => Do($"printf '#!/bin/sh\\n' > {_folder}/bin/{name}; chmod +x {_folder}/bin/{name}");

    internal sealed record Found(string Check, string Severity, string Says, string? Mend);

    /// <summary>What one check found.</summary>
    internal IReadOnlyList<Found> Doctor(string check, params string[] files)
    {
        var outcome = Try([Binary.Path, "doctor", "--json", .. files]);
        Assert.True(outcome.Err.Length == 0, outcome.Err);
        return [.. JsonDocument.Parse(outcome.Out).RootElement.GetProperty("findings").EnumerateArray()
            .Select(f => new Found(f.GetProperty("check").GetString()!, f.GetProperty("severity").GetString()!, f.GetProperty("found").GetString()!, f.GetProperty("mend").GetString()))
            .Where(f => f.Check == check)];
    }

    /// <summary>One finding of a check is bad; its command, run as it is printed, mends it: the next look finds only what is right.</summary>
    internal void IsMended(string check, string severity, string says, params string[] files)
    {
        var bad = Assert.Single(Doctor(check, files), f => f.Severity != "ok");
        Assert.Equal(severity, bad.Severity);
        Assert.Contains(says, bad.Says);
        Assert.NotNull(bad.Mend);
        Do(bad.Mend);
        Assert.All(Doctor(check, files), f => Assert.True(f.Severity == "ok", $"after {bad.Mend}: {f.Says}"));
    }
}
