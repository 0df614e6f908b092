using System.Diagnostics;

namespace Microvm.Tests;

/// <summary>Runs programs as a user would and takes what they print.</summary>
internal static class Binary
{
    internal static readonly string Root = FindRoot();

    internal sealed record Outcome(int Code, string Out, string Err);

    /// <summary>The binary under test: <c>out/microvm</c>, or what MICROVM_BINARY names (a managed build, while developing).</summary>
    internal static readonly string Path = Environment.GetEnvironmentVariable("MICROVM_BINARY") is { Length: > 0 } path ? path : System.IO.Path.Combine(Root, "out", "microvm");

    internal static Outcome Microvm(params string[] arguments) => Run(Path, null, arguments);

    internal static Outcome Run(string program, string? input, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        start.Environment.Remove("SUDO_UID");
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        if (input is not null)
        {
            process.StandardInput.Write(input);
        }
        process.StandardInput.Close();
        process.WaitForExit();
        return new(process.ExitCode, output.Result, errors.Result);
    }

    private static string FindRoot()
    {
        var at = AppContext.BaseDirectory;
        while (!File.Exists(System.IO.Path.Combine(at, "Microvm.slnx")))
        {
            at = System.IO.Path.GetDirectoryName(at)!;
        }
        return at;
    }
}

/// <summary>A folder of its own for one test.</summary>
public sealed class Folder : IDisposable
{
    private readonly string _path = Directory.CreateTempSubdirectory("microvm-test-").FullName;

    public string File(string name, string text)
    {
        var path = Path.Combine(_path, name);
        System.IO.File.WriteAllText(path, text);
        return path;
    }

    public void Dispose() => Directory.Delete(_path, true);
}

/// <summary>A network namespace of its own for one test.</summary>
public sealed class Namespace : IDisposable
{
    public string Name { get; } = $"mvt-{Guid.NewGuid():N}"[..16];
    public Namespace() => Assert.Equal(0, Binary.Run("ip", null, "netns", "add", Name).Code);
    public string Ip(params string[] arguments)
    {
        var outcome = Binary.Run("ip", null, ["-n", Name, .. arguments]);
        Assert.True(outcome.Code == 0, outcome.Err);
        return outcome.Out;
    }

    /// <summary>All that the kernel says of the links, to compare before with after; without what it finds out by itself a moment later.</summary>
    public string Links() => System.Text.RegularExpressions.Regex.Replace(Ip("-d", "-j", "link"), "\"(NO-CARRIER|LOWER_UP)\",?|\"operstate\":\"[A-Z]*\",?", "");

    /// <summary>What is beyond this host: a veth pair leads there, <c>out0</c> here and <c>far0</c> in it, and so does the default route.</summary>
    internal void GetsOutTo(Namespace far)
    {
        Ip("link", "add", "out0", "type", "veth", "peer", "name", "far0", "netns", far.Name);
        Ip("addr", "add", "203.0.113.10/24", "dev", "out0");
        Ip("link", "set", "out0", "up");
        far.Ip("addr", "add", "203.0.113.1/24", "dev", "far0");
        far.Ip("link", "set", "far0", "up");
        Ip("route", "add", "default", "via", "203.0.113.1");
    }

    /// <summary>Opens a queue of a tap with one, as a running VM does.</summary>
    internal Microvm.Linux.TunDevice.Tap Hold(string tap)
    {
        Microvm.Linux.TunDevice.Tap? queue = null;
        // A thread of its own enters the namespace, and ends there.
        var thread = new Thread(() =>
        {
            Microvm.Linux.NetworkNamespace.Enter(Name);
            queue = Microvm.Linux.TunDevice.OpenQueue(tap, false);
        });
        thread.Start();
        thread.Join();
        return queue!;
    }

    public void Dispose() => Binary.Run("ip", null, "netns", "del", Name);
}
