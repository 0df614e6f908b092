using System.Diagnostics;
using System.Text;

namespace Microvm.Tests;

/// <summary>A running watch; what it prints is collected.</summary>
internal sealed class WatchProcess : IDisposable
{
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private readonly Process _process;
    private readonly StringBuilder _printed = new();

    internal WatchProcess(string[] arguments, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(Binary.Path, ["watch", .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment.Remove("SUDO_UID");
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }
        _process = Process.Start(start)!;
        _process.OutputDataReceived += Collect;
        _process.ErrorDataReceived += Collect;
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    internal int Id => _process.Id;
    internal string Printed { get { lock (_printed) { return _printed.ToString(); } } }

    internal void WaitFor(string text) => Until(() => Printed.Contains(text, StringComparison.Ordinal), () => $"no '{text}' in: {Printed}");

    internal int End(string signal)
    {
        Binary.Run("kill", null, $"-{signal}", $"{_process.Id}");
        Assert.True(_process.WaitForExit(Patience), "it does not end");
        _process.WaitForExit();
        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }
        _process.Dispose();
    }

    private void Collect(object sender, DataReceivedEventArgs line)
    {
        lock (_printed)
        {
            _printed.AppendLine(line.Data);
        }
    }

    internal static void Until(Func<bool> reached, Func<string> complaint)
    {
        for (var clock = Stopwatch.StartNew(); !reached(); Thread.Sleep(5))
        {
            Assert.True(clock.Elapsed < Patience, complaint());
        }
    }
}
