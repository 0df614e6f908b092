using System.Diagnostics;
using Microvm.Screens;

namespace Microvm.Tests;

/// <summary>A real guest at a terminal: what is typed reaches it, and Ctrl-] ends it.</summary>
public sealed class ForegroundConsoleTests : IDisposable
{
    private const string Escape = "\u001d";
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private readonly Folder _folder = new();

    public void Dispose() => _folder.Dispose();

    private PseudoTerminal Run(string socket)
    {
        var file = _folder.File("vm.json", $$"""
            {"networking":{"hostName":"at-terminal"},"microvm":{ {{Guest.Boot("echo=1").Replace("\"socket\":null", $"\"socket\":{socket}", StringComparison.Ordinal)}} } }
            """);
        var terminal = new PseudoTerminal([Binary.Path, "run", file], 150, 60);
        Sees(terminal, "Ctrl-]");
        Sees(terminal, "guest: ready");
        return terminal;
    }

    // What was written, since the screen scrolls.
    private static void Sees(PseudoTerminal terminal, string text) =>
        Assert.True(terminal.ReadUntil(_ => Said(terminal).Contains(text, StringComparison.Ordinal), s_patience), $"waited in vain for '{text}':\n{Said(terminal)}");

    private static string Said(PseudoTerminal terminal) => System.Text.Encoding.UTF8.GetString([.. terminal.Written]).Replace("\r", "", StringComparison.Ordinal);

    [Fact]
    public void What_is_typed_reaches_the_guest_and_Ctrl_bracket_twice_powers_it_off()
    {
        var socket = Path.Combine(Path.GetDirectoryName(_folder.File("x", ""))!, "vm.sock");
        using var terminal = Run($"\"{socket}\"");
        // Ctrl-C and Ctrl-Z are the guest's keys.
        terminal.Send("\u0003\u001ahello\r");
        Sees(terminal, "hello\n");
        Sees(terminal, "guest: typed");
        terminal.Send(Escape);
        Sees(terminal, "Ctrl-] again powers 'at-terminal' off");
        Assert.DoesNotContain("shutting down", Said(terminal), StringComparison.Ordinal);
        terminal.Send(Escape);
        Sees(terminal, "asking the guest to power off");
        Sees(terminal, "guest: asked by the power button, shutting down");
        Assert.Equal(0, terminal.WaitForExit(s_patience));
        Assert.Equal(terminal.SettingsBefore, terminal.Settings());
    }

    [Fact]
    public void Without_a_control_socket_Ctrl_bracket_twice_ends_the_hypervisor()
    {
        using var terminal = Run("null");
        var hypervisor = Process.GetProcessById(int.Parse(File.ReadAllText($"/proc/{terminal.Pid}/task/{terminal.Pid}/children").Trim(), System.Globalization.CultureInfo.InvariantCulture));
        terminal.Send(Escape + Escape);
        Sees(terminal, "ending qemu");
        terminal.WaitForExit(s_patience);
        Assert.True(hypervisor.WaitForExit(s_patience));
        Assert.Equal(terminal.SettingsBefore, terminal.Settings());
    }

    [Fact]
    public void Its_hypervisor_ends_with_it_and_a_signal_to_it_is_one_to_the_hypervisor()
    {
        using var terminal = Run("null");
        terminal.Signal(15);
        Assert.NotEqual(143, terminal.WaitForExit(s_patience));
        Assert.Contains("terminating on signal 15", Said(terminal), StringComparison.Ordinal);
        Assert.Equal(terminal.SettingsBefore, terminal.Settings());

        using var killed = Run("null");
        using var hypervisor = Process.GetProcessById(int.Parse(File.ReadAllText($"/proc/{killed.Pid}/task/{killed.Pid}/children").Trim(), System.Globalization.CultureInfo.InvariantCulture));
        killed.Signal(9);
        Assert.True(hypervisor.WaitForExit(s_patience));
    }
}
