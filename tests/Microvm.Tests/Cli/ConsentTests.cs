using System.Text.Json;
using Microvm.Screens;

namespace Microvm.Tests;

/// <summary>What a declaration has run: listed in one place, and asked for where root would run it on another's word. The attack is consent.sh.</summary>
public sealed class ConsentTests : IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);
    private readonly Folder _folder = new();
    private readonly Namespace _ns = new();

    public void Dispose()
    {
        _ns.Dispose();
        _folder.Dispose();
    }

    private string Declaration() => _folder.File("vm.json", """
        {"networking":{"hostName":"web"},"microvm":{
          "kernel":"/etc/hostname", "user":"daemon", "preStart":"echo hello", "extraArgsScript":"/opt/args", "qemu":{"package":"/opt/qemu"},
          "binScripts":{"tap-up":["true"],"pci-setup":["true"],"mine":["true"]},
          "virtiofsd":{"package":"/opt/v"},
          "shares":[{"proto":"virtiofs","tag":"t","source":"/srv","socket":"s"},{"proto":"virtiofs","tag":"store","source":"/nix/store","socket":"n"}],
          "interfaces":[{"type":"tap","id":"vm-a1","mac":"02:00:00:00:00:01"}]}}
        """);

    private static readonly (string What, string As, string With)[] s_list =
    [
        ("microvm.binScripts.mine", "user daemon", "no capability"),
        ("microvm.binScripts.pci-setup", "root under the units", "CAP_SYS_ADMIN, CAP_SYS_MODULE, CAP_CHOWN, CAP_DAC_OVERRIDE and CAP_FOWNER"),
        ("microvm.binScripts.tap-up", "root under the units", "CAP_NET_ADMIN"),
        ("microvm.virtiofsd.package: /opt/v/bin/virtiofsd", "root", "what files of every owner take; refused where another user could change it"),
        ("virtiofsd for the guest, over /srv of this host", "root", "what reading and writing files of every owner takes"),
        ("microvm.preStart", "user daemon", "no capability"),
        ("microvm.extraArgsScript: /opt/args", "user daemon", "no capability"),
        ("the hypervisor out of /opt/qemu", "user daemon", "no capability"),
    ];

    [Theory]
    [InlineData("check")]
    [InlineData("plan")]
    public void Check_and_plan_list_in_one_place_what_is_run_as_whom_and_with_which_rights(string command)
    {
        string[] words = [command, Declaration(), .. command == "plan" ? new[] { "--netns", _ns.Name } : []];
        var told = Binary.Microvm(words);
        Assert.Equal(0, told.Code);
        Assert.Equal(s_list.Select(l => $"'web' has run: {l.What}, as {l.As}, with {l.With}").Order(StringComparer.Ordinal),
            told.Out.Split('\n').Where(l => l.Contains(" has run: ", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        var json = JsonDocument.Parse(Binary.Microvm([.. words, "--json"]).Out).RootElement.GetProperty("runs");
        Assert.Equal(s_list.Order(), json.EnumerateArray().Select(r => (r.GetProperty("what").GetString()!, r.GetProperty("as").GetString()!, r.GetProperty("with").GetString()!)).Order());
    }

    [Fact]
    public void What_runs_nothing_of_its_own_lists_and_asks_nothing()
    {
        var vm = _folder.File("plain.json", """{"networking":{"hostName":"web"},"microvm":{"kernel":"/etc/hostname","interfaces":[{"type":"tap","id":"vm-a1","mac":"02:00:00:00:00:01"}]}}""");
        var state = Path.Combine(Path.GetDirectoryName(vm)!, "state");
        Assert.Equal(0, Binary.Run("chown", null, "64123", vm).Code);
        Assert.DoesNotContain("has run", Binary.Microvm("check", vm).Out, StringComparison.Ordinal);
        Assert.Equal(0, Binary.Microvm("create", "web", "--file", vm, "--state-dir", state).Code);
    }

    [Theory]
    [InlineData("n\r", false)]
    [InlineData("\r", false)]
    [InlineData("y\r", true)]
    public void On_a_terminal_it_is_a_question_whose_answer_is_no(string answer, bool made)
    {
        var vm = Declaration();
        var state = Path.Combine(Path.GetDirectoryName(vm)!, "state");
        Assert.Equal(0, Binary.Run("chown", null, "64123", vm).Code);
        using var terminal = new PseudoTerminal([Binary.Path, "create", "web", "--file", vm, "--state-dir", state], 200, 50);
        Assert.True(terminal.ReadUntil(s => s.Text.Contains("Have it run? [y/N]"), s_limit), terminal.Screen.Text);
        Assert.Contains("microvm.binScripts.tap-up, as root under the units, with CAP_NET_ADMIN", terminal.Screen.Text, StringComparison.Ordinal);
        terminal.Send(answer);
        Assert.Equal(made ? 0 : 2, terminal.WaitForExit(s_limit));
        Assert.Equal(made, Directory.Exists(Path.Combine(state, ".host", "web")));
    }
}
