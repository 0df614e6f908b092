using System.Net.Sockets;
using System.Text;
using Microvm.Host;
using Microvm.Host.Control;
using Microvm.Hypervisors;

namespace Microvm.Tests;

/// <summary>The control sockets of hypervisors that can't be had here, as their published API definitions have them; QEMU's own is
/// tried with a real QEMU in <see cref="StopTests"/>.</summary>
[Trait("needs", "nothing")]
public sealed class ControlTests : IDisposable
{
    private readonly Folder _folder = new();
    private readonly List<string> _heard = [];
    private Socket? _listener;

    public void Dispose()
    {
        _listener?.Dispose();
        _folder.Dispose();
    }

    /// <summary>Answers each connection with one text after it has heard the end of a request, and stops listening after <paramref name="connections"/>.</summary>
    private string Serve(string answer, int connections = int.MaxValue, bool speaksFirst = false)
    {
        var path = _folder.File("unused", "")[..^6] + "api.sock";
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen(8);
        _listener = listener;
        new Thread(() =>
        {
            try
            {
                for (var i = 0; i < connections; i++)
                {
                    using var client = listener.Accept();
                    var buffer = new byte[8192];
                    var got = speaksFirst ? 0 : client.Receive(buffer);
                    if (got == 0 && !speaksFirst)
                    {
                        continue;
                    }
                    lock (_heard)
                    {
                        _heard.Add(Encoding.UTF8.GetString(buffer, 0, got));
                    }
                    client.Send(Encoding.UTF8.GetBytes(answer));
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // The test is over.
            }
            listener.Dispose();
            try
            {
                File.Delete(path);
            }
            catch (DirectoryNotFoundException)
            {
                // The test is over, and its folder went first.
            }
        })
        { IsBackground = true }.Start();
        return path;
    }

    private string Heard
    {
        get
        {
            lock (_heard)
            {
                return string.Join('\n', _heard);
            }
        }
    }

    private const string NoContent = "HTTP/1.1 204 No Content\r\n\r\n";

    [Theory]
    [InlineData(ControlKind.CloudHypervisor, "PUT /api/v1/vm.power-button HTTP/1.1", "")]
    [InlineData(ControlKind.Firecracker, "PUT /actions HTTP/1.1", """{"action_type":"SendCtrlAltDel"}""")]
    [InlineData(ControlKind.Vfkit, "POST /vm/state HTTP/1.1", """{"state":"Stop"}""")]
    public void The_guest_is_asked_to_shut_down_as_the_hypervisors_api_has_it(ControlKind kind, string line, string body)
    {
        var path = Serve(NoContent);
        using (var control = VmControl.Open(new(kind, path), 512)!)
        {
            control.RequestShutdown();
        }
        Assert.StartsWith(line, Heard);
        Assert.Contains("\r\nHost: localhost\r\n", Heard);
        Assert.EndsWith($"Content-Length: {body.Length}\r\n\r\n{body}", Heard);
    }

    [Theory]
    [InlineData(ControlKind.CloudHypervisor, "PUT /api/v1/vm.resize HTTP/1.1", "desired_balloon", 268435456)]
    [InlineData(ControlKind.Firecracker, "PATCH /balloon HTTP/1.1", "amount_mib", 256)]
    public void The_balloon_takes_what_the_guest_shall_not_have(ControlKind kind, string line, string field, long taken)
    {
        var path = Serve(NoContent);
        using (var control = VmControl.Open(new(kind, path), 768)!)
        {
            control.SetMemory(512);
            Assert.Contains("has 768 MiB", Assert.Throws<ControlException>(() => control.SetMemory(1024)).Message);
        }
        Assert.StartsWith(line, Heard);
        using var body = System.Text.Json.JsonDocument.Parse(Heard.Split("\r\n\r\n")[1]);
        Assert.Equal(taken, body.RootElement.GetProperty(field).GetInt64());
    }

    [Fact]
    public void A_refusal_comes_in_the_hypervisors_own_words()
    {
        var path = Serve("HTTP/1.1 400 Bad Request\r\nContent-Length: 27\r\n\r\n{\"fault_message\":\"no such\"}");
        using var control = VmControl.Open(new(ControlKind.Firecracker, path), 512)!;
        var refused = Assert.Throws<ControlException>(control.RequestShutdown);
        Assert.Contains("PUT /actions with 400", refused.Message);
        Assert.Contains("no such", refused.Message);
    }

    [Theory]
    [InlineData("SSH-2.0-OpenSSH_9.2\r\n\u001b[31m")]
    [InlineData("{}\n")]
    [InlineData("[1]\n")]
    [InlineData("\0\0\0\n")]
    public void A_socket_that_speaks_something_else_is_told_apart(string greeting)
    {
        var message = Assert.Throws<ControlException>(() => VmControl.Open(new(ControlKind.Qmp, Serve(greeting + "\n", speaksFirst: true)), 512)).Message;
        Assert.Contains("no QMP", message);
        Assert.DoesNotContain('\u001b', message);
    }

    [Fact]
    public void Nobody_behind_the_socket_means_that_the_VM_is_not_running()
    {
        Assert.Equal(StopOutcome.WasNotRunning, GracefulStop.Stop(new(ControlKind.Qmp, "/nonexistent/vm.sock"), 512, TimeSpan.Zero));
        var path = _folder.File("unused", "")[..^6] + "left.sock";
        using (var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            listener.Bind(new UnixDomainSocketEndPoint(path));
        }
        Assert.Equal(StopOutcome.WasNotRunning, GracefulStop.Stop(new(ControlKind.Firecracker, path), 512, TimeSpan.Zero));
    }
}
