using System.Diagnostics;
using System.Text;

namespace Microvm.Tests;

/// <summary>One real guest, started by <c>microvm run</c>, with what it printed on its console.</summary>
internal sealed class Guest : IDisposable
{
    private readonly StringBuilder _console = new();
    private readonly Process _process;

    /// <summary>The boot part of a declaration: the guest that guest/build.sh makes.</summary>
    internal static string Boot(params string[] parameters) => $"""
        "kernel":"{Binary.Root}/out/guest/vmlinuz","initrdPath":"{Binary.Root}/out/guest/initrd","socket":null,
        "kernelParams":["seconds=60",{string.Join(',', GuestClock.Parameters.Concat(parameters).Select(p => $"\"{p}\""))}]
        """;

    internal Guest(string program, params string[] arguments)
    {
        _process = new Process { StartInfo = new(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true } };
        _process.OutputDataReceived += Take;
        _process.ErrorDataReceived += Take;
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>The process that was started, and so the hypervisor, which takes its place.</summary>
    internal int Id => _process.Id;

    internal static Guest Run(params string[] arguments) => new(Binary.Path, ["run", .. arguments]);

    internal string Console
    {
        get
        {
            lock (_console)
            {
                return _console.ToString();
            }
        }
    }

    internal void WaitFor(string text)
    {
        var limit = Stopwatch.StartNew();
        while (!Console.Contains(text))
        {
            Assert.True(limit.Elapsed < TimeSpan.FromSeconds(90) && !_process.HasExited, $"no '{text}' on the console:\n{Console}");
            Thread.Sleep(50);
        }
    }

    /// <summary>Waits until it has ended and all that it printed is here.</summary>
    /// <returns>Its exit code.</returns>
    internal int WaitForEnd()
    {
        _process.WaitForExit();
        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }
        _process.WaitForExit();
        _process.Dispose();
    }

    private void Take(object sender, DataReceivedEventArgs e)
    {
        lock (_console)
        {
            _console.AppendLine(e.Data);
        }
    }
}
