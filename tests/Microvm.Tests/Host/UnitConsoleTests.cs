using Microvm.Screens;

namespace Microvm.Tests;

/// <summary>A person attaches to the console of a real guest that runs as a unit.</summary>
[Collection(nameof(SystemdHost))]
public sealed class UnitConsoleTests(SystemdHost host)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private const string Directory = "/var/lib/microvms/atdesk", Unit = "microvm@atdesk.service";

    // What was written, since the screen scrolls.
    private static void Sees(PseudoTerminal terminal, string text) =>
        Assert.True(terminal.ReadUntil(_ => Said(terminal).Contains(text, StringComparison.Ordinal), s_patience), $"waited in vain for '{text}':\n{Said(terminal)}");

    private static string Said(PseudoTerminal terminal) => System.Text.Encoding.UTF8.GetString([.. terminal.Written]).Replace("\r", "", StringComparison.Ordinal);

    private PseudoTerminal Attach() => new([.. host.Inside, "/usr/local/bin/microvm", "console", "atdesk"], 150, 50);

    [Fact]
    public void Console_shows_what_was_printed_and_passes_on_what_is_typed_and_the_VM_continues_to_run()
    {
        host.Write("/root/atdesk.json", $$"""
            {"networking":{"hostName":"atdesk"},"microvm":{ "kernel":"{{SystemdHost.Guest}}/vmlinuz","initrdPath":"{{SystemdHost.Guest}}/initrd",
              "kernelParams":["seconds=600","echo=1",{{string.Join(',', GuestClock.Parameters.Select(p => $"\"{p}\""))}}],"interfaces":[] } }
            """);
        host.Microvm("create", "atdesk", "--file", "/root/atdesk.json");
        var stopped = host.Run("/usr/local/bin/microvm", "console", "atdesk");
        Assert.Equal((1, "microvm: 'atdesk' is not running; start it with: sudo microvm start atdesk\n"), (stopped.Code, stopped.Err));
        host.Microvm("start", "atdesk");
        host.Until("the guest", () => Journal.Contains("guest: ready", StringComparison.Ordinal));
        var pid = host.Property(Unit, "MainPID");

        using (var terminal = Attach())
        {
            Sees(terminal, "this is the console of 'atdesk'; Ctrl-] ends it");
            // Printed before anybody was there.
            Sees(terminal, "guest: ready");
            terminal.Send("hello\r");
            Sees(terminal, "guest: typed hello");
            terminal.Send("\u001d");
            Assert.Equal(0, terminal.WaitForExit(s_patience));
            Assert.Equal(terminal.SettingsBefore, terminal.Settings());
        }
        // The journal has it too, and a script can type.
        host.Until("the journal", () => Journal.Contains("guest: typed hello", StringComparison.Ordinal));
        Assert.Contains("guest: typed by a script", host.Do("sh", "-c", "{ echo 'by a script'; sleep 2; } | timeout 4 microvm console atdesk || [ $? = 124 ]"), StringComparison.Ordinal);
        Assert.Equal(pid, host.Property(Unit, "MainPID"));

        // Whoever may write to the VM's directory puts something else there: nothing is sent to it, nor to where it leads.
        host.Do("sh", "-c", $"mv {Directory}/console.sock {Directory}/kept && ln -s /run/systemd/private {Directory}/console.sock");
        var led = host.Run("/usr/local/bin/microvm", "console", "atdesk");
        Assert.True(led.Code == 1 && led.Err.Contains("has no console to attach to", StringComparison.Ordinal), led.Err);
        host.Do("rm", $"{Directory}/console.sock");
        host.Write("/run/systemd/system/impostor.socket", $"[Socket]\nListenStream={Directory}/console.sock\nSocketMode=0666\nAccept=yes\n");
        host.Write("/run/systemd/system/impostor@.service", "[Service]\nExecStart=/bin/sh -c 'cat > /root/caught'\nStandardInput=socket\n");
        host.Do("systemctl", "daemon-reload");
        host.Do("systemctl", "start", "impostor.socket");
        host.Until("the impostor", () => host.Run("test", "-S", $"{Directory}/console.sock").Code == 0);
        var fooled = host.Run("sh", "-c", "echo secret | microvm console atdesk");
        Assert.True(fooled.Code == 1 && fooled.Err.Contains("which is not the VM's unit", StringComparison.Ordinal), fooled.Err);
        Assert.DoesNotContain("secret", host.Run("cat", "/root/caught").Out, StringComparison.Ordinal);
        host.Do("systemctl", "stop", "impostor.socket");
        host.Do("mv", "-f", $"{Directory}/kept", $"{Directory}/console.sock");
        // Nor may others attach.
        Assert.Contains("run it with sudo: sudo microvm console atdesk", host.Run("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "/usr/local/bin/microvm", "console", "atdesk").Err, StringComparison.Ordinal);

        using var last = Attach();
        Sees(last, "guest: ready");
        host.Microvm("stop", "atdesk");
        Sees(last, "the run of 'atdesk' has ended");
        Assert.Equal(0, last.WaitForExit(s_patience));
        Assert.Equal("success", host.Property(Unit, "Result"));
        host.Microvm("remove", "atdesk");
    }

    private string Journal => host.Run("journalctl", "--no-pager", "-o", "cat", "-u", Unit).Out;
}
