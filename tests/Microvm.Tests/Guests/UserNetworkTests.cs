using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microvm.Hypervisors;

namespace Microvm.Tests;

/// <summary>The user network of a hypervisor that has none: slirp4netns beside it, held back, refusing, and ended while the VM runs.</summary>
public sealed class UserNetworkTests : IDisposable
{
    private readonly Folder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Home => _folder.File("x", "")[..^2];

    /// <summary>Those that have no user network of their own.</summary>
    public static TheoryData<string> Hypervisors() => [.. HypervisorTable.All.Where(h => !h.Facts.OwnUserNetwork).Select(h => h.Name)];

    // Firecracker can't be without a socket.
    private string Declare(string name, string more, string hypervisor = "cloud-hypervisor") => _folder.File($"{name}.json", $$"""
        {"networking":{"hostName":"{{name}}"},"microvm":{"hypervisor":"{{hypervisor}}","{{hypervisor}}":{"package":"{{StandIn.Folder}}"},"kernel":"{{StandIn.Kernel(hypervisor)}}","initrdPath":"/dev/null","socket":{{(hypervisor == "firecracker" ? $"\"{Home}/{name}.sock\"" : "null")}},
          "kernelParams":["guestip=10.0.2.15/24","ping=10.0.2.2","seconds=60"],"interfaces":[{"type":"user","id":"vm-n","mac":"02:00:00:00:00:01"}]{{more}} } }
        """);

    private static int FreePort()
    {
        using var free = new TcpListener(IPAddress.Loopback, 0);
        free.Start();
        return ((IPEndPoint)free.LocalEndpoint).Port;
    }

    private static string Forward(int port) => $$""","forwardPorts":[{"host":{"address":"127.0.0.1","port":{{port}} },"guest":{"port":80} }]""";

    /// <summary>Runs it with our slirp4netns first in PATH, and a folder of its own for what is temporary.</summary>
    private Guest Run(string name, string file, string? slirp)
    {
        var programs = Directory.CreateDirectory(Path.Combine(Home, $"{name}-bin")).FullName;
        Directory.CreateDirectory(Path.Combine(Home, $"{name}-tmp"));
        if (slirp is not null)
        {
            File.SetUnixFileMode(_folder.File($"{name}-bin/slirp4netns", slirp), (UnixFileMode)0b111_101_101);
        }
        return new("env", [$"TMPDIR={Path.Combine(Home, $"{name}-tmp")}", $"PATH={programs}:{Environment.GetEnvironmentVariable("PATH")}", Binary.Path, "run", file]);
    }

    private static string Slirp { get; } = Binary.Run("sh", null, "-c", "command -v slirp4netns").Out.Trim();

    private void NothingIsLeft(string name)
    {
        var limit = Stopwatch.StartNew();
        while (Directory.EnumerateFileSystemEntries(Path.Combine(Home, $"{name}-tmp"), "microvm-*").Any())
        {
            Assert.True(limit.Elapsed < TimeSpan.FromSeconds(10), "the folder of the API socket is left");
            Thread.Sleep(20);
        }
    }

    /// <summary>A descendant of the guest's process that runs this program.</summary>
    private static string? Below(Guest guest, string program)
    {
        var all = Directory.EnumerateDirectories("/proc").Select(Path.GetFileName).Where(p => p!.All(char.IsAsciiDigit)).Select(p =>
        {
            try
            {
                var fields = File.ReadAllText($"/proc/{p}/stat");
                return (Pid: p!, Name: fields[(fields.IndexOf('(') + 1)..fields.LastIndexOf(')')], Parent: fields[(fields.LastIndexOf(')') + 2)..].Split(' ')[1]);
            }
            catch (IOException)
            {
                return (Pid: p!, Name: "", Parent: "");
            }
        }).ToList();
        string[] known = [guest.Id.ToString(CultureInfo.InvariantCulture)];
        while (true)
        {
            var more = all.Where(p => known.Contains(p.Parent) && !known.Contains(p.Pid)).Select(p => p.Pid).ToArray();
            if (more.Length == 0)
            {
                return all.FirstOrDefault(p => known.Contains(p.Pid) && p.Name == program).Pid;
            }
            known = [.. known, .. more];
        }
    }

    /// <summary>Every call by which it starts: it divides in two, joins the namespace, makes its device, hands it over, binds its API socket, says that it
    /// is ready, looks at its descriptors, and takes a request.</summary>
    private static readonly string[] s_steps = ["socketpair", "clone", "setns", "ioctl", "sendmsg", "recvmsg", "unlink", "socket", "bind", "listen", "write", "poll", "accept"];

    [Theory]
    [MemberData(nameof(Hypervisors))]
    public void However_late_slirp4netns_is_the_guest_has_its_network_and_its_forwards_when_it_starts(string hypervisor)
    {
        Assert.Equal(5, Hypervisors().Count);
        Parallel.ForEach(s_steps, new() { MaxDegreeOfParallelism = s_steps.Length }, step =>
        {
            var port = FreePort();
            // The words that it prints, and the one that it is ready.
            var when = step == "write" ? "1..3" : "1";
            var slirp = $"#!/bin/sh\nexec strace -f -qq -o '{Home}/{step}.trace' -e trace={step} -e inject={step}:delay_enter=1000000:when={when} {Slirp} \"$@\"\n";
            using var guest = Run(step, Declare(step, Forward(port), hypervisor), slirp);
            guest.WaitFor("guest: 10.0.2.2 answers");
            Assert.Contains("(DELAYED)", File.ReadAllText($"{Home}/{step}.trace"), StringComparison.Ordinal);
            using var client = new TcpClient();
            client.Connect(IPAddress.Loopback, port);
            NothingIsLeft(step);
        });
    }

    [Fact]
    public void Without_forwards_no_API_socket_is_asked_for()
    {
        using var guest = Run("plain", Declare("plain", ""), $"#!/bin/sh\necho \"$@\" > '{Home}/words'\nexec {Slirp} \"$@\"\n");
        guest.WaitFor("guest: 10.0.2.2 answers");
        Assert.Contains("--ready-fd", File.ReadAllText($"{Home}/words"), StringComparison.Ordinal);
        Assert.DoesNotContain("--api-socket", File.ReadAllText($"{Home}/words"), StringComparison.Ordinal);
        NothingIsLeft("plain");
    }

    public static TheoryData<string, string, string> Ends() =>
        [.. Hypervisors().Select(h => (h.Data, "KILL", "was ended by signal 9")), ("cloud-hypervisor", "TERM", "was ended by signal 15")];

    [Theory]
    [MemberData(nameof(Ends))]
    public void Where_slirp4netns_ends_before_the_VM_the_VM_ends_too_with_a_sentence_and_a_code(string hypervisor, string signal, string how)
    {
        using var guest = Run("cut", Declare("cut", "", hypervisor), null);
        guest.WaitFor("guest: 10.0.2.2 answers");
        var slirp = Below(guest, "slirp4netns");
        Assert.NotNull(slirp);
        Assert.Equal(0, Binary.Run("kill", null, $"-{signal}", slirp).Code);
        Assert.NotEqual(0, guest.WaitForEnd());
        Assert.Contains($"microvm: 'cut': slirp4netns {how}, and the guest's network with it; the VM is ended too", guest.Console, StringComparison.Ordinal);
    }

    [Fact]
    public void Slirp4netns_ends_with_the_VM_and_nobody_complains()
    {
        using var guest = Run("end", Declare("end", ""), null);
        guest.WaitFor("guest: 10.0.2.2 answers");
        var (slirp, companion) = (Below(guest, "slirp4netns"), Below(guest, "microvm"));
        Assert.NotNull(slirp);
        Assert.NotNull(companion);
        Assert.Equal(0, Binary.Run("kill", null, "-TERM", guest.Id.ToString(CultureInfo.InvariantCulture)).Code);
        guest.WaitForEnd();
        var limit = Stopwatch.StartNew();
        while (Directory.Exists($"/proc/{slirp}") || Directory.Exists($"/proc/{companion}"))
        {
            Assert.True(limit.Elapsed < TimeSpan.FromSeconds(10), "they are still there");
            Thread.Sleep(20);
        }
        Assert.DoesNotContain("the guest's network with it", guest.Console, StringComparison.Ordinal);
    }

    [Fact]
    public void A_forward_that_is_refused_is_told_and_the_VM_is_not_started()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        using var guest = Run("taken", Declare("taken", Forward(port)), null);
        Assert.Equal(1, guest.WaitForEnd());
        Assert.Contains($"tcp port {port} of the host is taken by process {Environment.ProcessId}", guest.Console, StringComparison.Ordinal);
        Assert.DoesNotContain("guest:", guest.Console, StringComparison.Ordinal);
        NothingIsLeft("taken");
    }

    [Fact]
    public void Nothing_that_the_environment_or_the_command_line_names_is_deleted()
    {
        var file = Declare("kept", "");
        var precious = Directory.CreateDirectory(Path.Combine(Home, "precious")).FullName;
        File.WriteAllText(Path.Combine(precious, "file"), "mine");
        foreach (var words in (string[][])[
            [$"MICROVM_INSIDE=1:{precious}", Binary.Path, "run", file],
            [$"MICROVM_INSIDE=1:{precious}", Binary.Path, "run", "/nonexistent.json"],
            [Binary.Path, "run", $"--inside=1:{precious}", file],
            [Binary.Path, "run", "--inside=0:1", file],
            [Binary.Path, "user-network", "1", "77", "78", "79", "80", precious]])
        {
            _ = Binary.Run("timeout", null, ["5", "env", $"TMPDIR={precious}", "PATH=/nonexistent", .. words]);
            Assert.Equal("mine", File.ReadAllText(Path.Combine(precious, "file")));
            Assert.Single(Directory.EnumerateFileSystemEntries(precious));
        }
        var inside = Binary.Microvm("run", "--inside=4:5", file);
        Assert.Equal(2, inside.Code);
        Assert.Contains("leave it out", inside.Err, StringComparison.Ordinal);
    }
}
