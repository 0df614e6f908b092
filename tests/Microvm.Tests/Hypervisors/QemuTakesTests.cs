using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Microvm.Tests;

/// <summary>Real QEMU builds the machine of each command line (its CPUs held), and answers on the control socket.</summary>
public sealed class QemuTakesTests : IDisposable
{
    private readonly Folder _folder = new();
    public void Dispose() => _folder.Dispose();

    private const string Disk = """ "volumes":[{"image":"a,b.img","autoCreate":false,"serial":"s,1"}], """;

    [Theory]
    [InlineData("microvm", 1, "")]
    [InlineData("microvm", 4, Disk)]
    [InlineData("microvm", 2, Disk + """ "balloon":true,"shares":[{"tag":"t,1","source":"FOLDER"}], """)]
    [InlineData("q35", 2, Disk + """ "balloon":true,"hotplugMem":256,"hotpluggedMem":128,"credentialFiles":{"K":"/etc/hostname"}, """)]
    [InlineData("q35", 1, """ "forwardPorts":[{"from":"guest","host":{"address":"127.0.0.1","port":80},"guest":{"address":"10.0.2.10","port":80}}], """)]
    // What an author gives besides, QEMU takes a second time: the later one counts, or both are joined.
    [InlineData("q35", 2, "", "-m", "300", "-smp", "3", "-M", "usb=off", "-name", "other", "-nodefaults", "-no-reboot", "-chardev", "null,id=more")]
    [InlineData("microvm", 1, """ "vsock":{"cid":null}, """, "-m", "300", "-M", "pit=on", "-cpu", "max")]
    public async Task QEMU_takes_the_whole_command_line(string machine, int vcpu, string more, params string[] extra)
    {
        var image = _folder.File("a,b.img", "");
        var folder = Path.GetDirectoryName(image)!;
        using (var file = File.OpenWrite(image))
        {
            file.SetLength(1 << 20);
        }
        var declaration = _folder.File("vm.json", $$"""
            {"networking":{"hostName":"q"},"microvm":{"kernel":"{{_folder.File("kernel", "no kernel")}}",
             "vcpu":{{vcpu}},"qemu":{"machine":"{{machine}}","extraArgs":{{JsonSerializer.Serialize<string[]>(["-S", .. extra])}} },{{more.Replace("FOLDER", folder)}}
             "interfaces":[{"type":"user","id":"u","mac":"02:00:00:00:00:01"}]} }
            """);
        var outcome = Binary.Microvm("command", "--json", declaration);
        Assert.True(outcome.Code == 0, outcome.Err);
        var words = JsonSerializer.Deserialize<string[]>(outcome.Out)!;
        // QEMU looks at the kernel while it builds the machine, and this one is none.
        var kernel = Array.IndexOf(words, "-kernel");
        words = [.. words.Where((_, n) => n != kernel && n != kernel + 1 && words[n] != "-append" && (n == 0 || words[n - 1] != "-append"))];
        var start = new ProcessStartInfo(words[0], words[1..]) { RedirectStandardError = true, RedirectStandardInput = true, RedirectStandardOutput = true, WorkingDirectory = folder };
        using var qemu = Process.Start(start)!;
        var errors = qemu.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        try
        {
            var socket = Path.Combine(folder, "q.sock");
            for (var n = 0; n < 600 && !File.Exists(socket) && !qemu.HasExited; n++)
            {
                await Task.Delay(50, TestContext.Current.CancellationToken);
            }
            using var control = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await control.ConnectAsync(new UnixDomainSocketEndPoint(socket), TestContext.Current.CancellationToken);
            using var reader = new StreamReader(new NetworkStream(control));
            Assert.Contains("QMP", await reader.ReadLineAsync(TestContext.Current.CancellationToken));
            await control.SendAsync(Encoding.UTF8.GetBytes("{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"quit\"}\n"), TestContext.Current.CancellationToken);
            Assert.Contains("return", await reader.ReadLineAsync(TestContext.Current.CancellationToken));
            await qemu.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.Equal((0, ""), (qemu.ExitCode, await errors));
        }
        catch (SocketException)
        {
            Assert.Fail(await errors);
        }
        finally
        {
            if (!qemu.HasExited)
            {
                qemu.Kill();
            }
        }
    }
}
