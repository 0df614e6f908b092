using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace Microvm.Tests;

/// <summary>A real host: Debian's stock kernel and its systemd, booted by QEMU over this machine's own files, which stay as they are. It has what the
/// kernel that tests run on may lack: KVM, vhost-net, VLAN filtering, a udev at work. Booted once for all tests of a collection.</summary>
public sealed class RealHost : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("microvm-host-").FullName;
    private readonly Process? _qemu;
    private readonly Socket _agent = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly StreamReader? _answers;

    public RealHost()
    {
        try
        {
            var out_ = Path.Combine(Binary.Root, "out", "host");
            _qemu = Process.Start(new ProcessStartInfo("qemu-system-x86_64", [
                // TCG emulates AMD's SVM, so that there is a KVM inside.
                "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "EPYC,+svm,+npt", "-smp", "2", "-m", "3072", "-nodefaults", "-no-user-config", "-display", "none",
                "-no-reboot", "-serial", $"file:{Console}", "-kernel", $"{out_}/vmlinuz", "-initrd", $"{out_}/initrd",
                "-append", $"console=ttyS0 quiet panic=-1 systemd.show_status=0 {string.Join(' ', GuestClock.Parameters)}",
                .. Share("root", "/"), .. Share("modules", $"{out_}/modules"), .. Share("tests", Path.Combine(Binary.Root, "tests", "Hosts")),
                "-device", "virtio-serial-pci", "-chardev", $"socket,id=agent,path={_folder}/agent,server=on,wait=off", "-device", "virtserialport,chardev=agent,name=agent"])
            { RedirectStandardError = true, RedirectStandardInput = true })!;
            _qemu.BeginErrorReadLine();
            var clock = Stopwatch.StartNew();
            while (!File.Exists($"{_folder}/agent"))
            {
                Assert.True(!_qemu.HasExited && clock.Elapsed < TimeSpan.FromSeconds(60), "QEMU made no socket");
                Thread.Sleep(20);
            }
            _agent.Connect(new UnixDomainSocketEndPoint($"{_folder}/agent"));
            Patience = TimeSpan.FromMinutes(3);
            _answers = new(new NetworkStream(_agent), Encoding.ASCII);
            Assert.Equal("ready", Answer());
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>How long a script may take, at most.</summary>
    internal TimeSpan Patience { set => _agent.ReceiveTimeout = (int)value.TotalMilliseconds; }

    private string Console => $"{_folder}/console";

    private static string[] Share(string tag, string path) => ["-virtfs", $"local,path={path},mount_tag={tag},security_model=none,readonly=on,multidevs=remap"];

    /// <summary>Runs a script in bash, as root; its standard error is with its output.</summary>
    internal (int Code, string Out) Try(string script)
    {
        try
        {
            _agent.Send(Encoding.ASCII.GetBytes(Convert.ToBase64String(Encoding.UTF8.GetBytes(script)) + "\n"));
        }
        catch (SocketException)
        {
            // Told with the answer that does not come.
        }
        var words = Answer().Split(' ');
        return (int.Parse(words[0], System.Globalization.CultureInfo.InvariantCulture), Encoding.UTF8.GetString(Convert.FromBase64String(words[1])));
    }

    /// <summary>Runs a script that must succeed.</summary>
    /// <returns>What it printed.</returns>
    internal string Do(string script)
    {
        var (code, output) = Try(script);
        Assert.True(code == 0, $"{script}\n{output}");
        return output;
    }

    internal string Microvm(string arguments) => Do($"{Binary.Path} {arguments}");

    /// <summary>Writes a declaration into a folder that tests share.</summary>
    /// <returns>Its path inside.</returns>
    internal string Declare(string name, string microvm)
    {
        var json = $$"""{"networking":{"hostName":"{{name}}"},"microvm":{ {{microvm}} } }""";
        Do($"mkdir -p /root/vms && base64 -d <<< {Convert.ToBase64String(Encoding.UTF8.GetBytes(json))} > /root/vms/{name}.json");
        return $"/root/vms/{name}.json";
    }

    internal void Until(string what, string condition) =>
        Do($"for n in $(seq 600); do if {{ {condition}; }} > /dev/null 2>&1; then exit 0; fi; sleep 0.1; done; echo 'waited in vain for {what}'; journalctl --no-pager -n 40; exit 1");

    private string Answer()
    {
        try
        {
            return _answers!.ReadLine() ?? throw new IOException("it has ended");
        }
        catch (IOException e)
        {
            throw new HostIsGoneException($"the host does not answer ({e.Message}); its console:\n{(File.Exists(Console) ? File.ReadAllText(Console) : "")}", e);
        }
    }

    public void Dispose()
    {
        _answers?.Dispose();
        _agent.Dispose();
        if (_qemu is { } qemu)
        {
            if (!qemu.HasExited)
            {
                qemu.Kill();
            }
            qemu.WaitForExit();
            qemu.Dispose();
        }
        Directory.Delete(_folder, true);
    }
}

/// <summary>The host's kernel went down, or does nothing any more.</summary>
internal sealed class HostIsGoneException(string message, Exception inner) : Exception(message, inner);

[CollectionDefinition(nameof(RealHost))]
public sealed class RealHosts : ICollectionFixture<RealHost>;
