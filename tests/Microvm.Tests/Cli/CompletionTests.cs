using Microvm.Declaration;

namespace Microvm.Tests;

/// <summary>The scripts in the real shells.</summary>
public sealed class CompletionTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("microvm-shell-").FullName;
    private readonly Namespace _ns = new();

    public CompletionTests()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "bin"));
        File.CreateSymbolicLink(Path.Combine(_folder, "bin", "microvm"), Binary.Path);
        File.WriteAllText(Path.Combine(_folder, "my vm.nix"), "{ }");
        Directory.CreateDirectory(Path.Combine(_folder, "nested"));
    }

    public void Dispose()
    {
        _ns.Dispose();
        Directory.Delete(_folder, true);
    }

    /// <summary>Runs a shell in the folder and the namespace, with microvm on its PATH.</summary>
    private string Shell(string shell, string script)
    {
        var outcome = Binary.Run("ip", null, "netns", "exec", _ns.Name, "env", "-C", _folder, $"PATH={_folder}/bin:{Environment.GetEnvironmentVariable("PATH")}",
            $"HOME={_folder}", "TERM=dumb", shell, "-c", script);
        Assert.True(outcome.Code == 0, outcome.Out + outcome.Err);
        Assert.True(outcome.Err.Length == 0, outcome.Err);
        return outcome.Out;
    }

    private string[] Bash(params string[] words) => Shell("bash", $$"""
        source <(microvm completions bash)
        COMP_WORDS=({{string.Join(' ', words.Select(w => $"'{w}'"))}}) COMP_CWORD={{words.Length - 1}}
        _microvm
        printf '%s\n' "${COMPREPLY[@]}"
        """).Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private string[] Fish(string line) => [.. Shell("fish", $"microvm completions fish | source; complete -C {Microvm.Declaration.Shell.Quote(line)}")
        .Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split('\t')[0])];

    /// <summary>What an interactive zsh makes of a line after Tab, then Enter: the words that microvm would get.</summary>
    private string Zsh(string line) => Shell("zsh", $$"""
        zmodload zsh/zpty
        zpty shell "zsh -f -i"
        type() { zpty -w shell "$1"; }
        type "PS1= PROMPT_EOL_MARK= ; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; source <(command microvm completions zsh); TRAPEXIT() {}"
        type "microvm() { print -r -- \"GOT[\$*]\" }; print rea''dy"
        while zpty -r shell got; do [[ $got == *ready* && $got != *rea\'* ]] && break; done
        zpty -w -n shell {{Microvm.Declaration.Shell.Quote(line)}}$'\t'$'\n'
        while zpty -r shell got; do [[ $got == *GOT\[* ]] && break; done
        print -r -- "${${got#*GOT\[}%\]*}"
        zpty -d shell
        """).Trim();

    [Fact]
    public void Bash_completes_commands_options_values_and_files()
    {
        Assert.Equal(["down"], Bash("microvm", "do").Where(w => w == "down"));
        Assert.Equal(["--json"], Bash("microvm", "up", "--j"));
        Assert.Equal([_ns.Name], Bash("microvm", "up", "--netns", _ns.Name[..^1]));
        Assert.Equal(["always"], Bash("microvm", "up", "--color", "=", "al"));
        Assert.Equal(["my vm.nix", "nested"], Bash("microvm", "check", "").Where(w => w is "my vm.nix" or "nested").Order());
    }

    [Fact]
    public void Fish_completes_commands_options_values_and_files()
    {
        Assert.Contains("down", Fish("microvm do"));
        Assert.Contains("--json", Fish("microvm up --j"));
        Assert.DoesNotContain("--json", Fish("microvm balloon --j"));
        Assert.Equal([_ns.Name], Fish($"microvm up --netns {_ns.Name[..^1]}"));
        Assert.Contains("nested/", Fish("microvm check nes"));
    }

    [Theory]
    [InlineData("microvm comma", "command")]
    [InlineData("microvm up --js", "up --json")]
    [InlineData("microvm check nes", "check nested")]
    public void Zsh_completes_commands_options_and_files(string line, string becomes) => Assert.Equal(becomes, Zsh(line));

    [Fact]
    public void Every_shell_knows_the_interfaces_that_are_ours()
    {
        _ns.Ip("link", "add", "vm-a1", "type", "bridge");
        _ns.Ip("link", "set", "vm-a1", "alias", "microvm:web/vm-a1");
        Assert.Equal(["web/vm-a1"], Bash("microvm", "capture", "w"));
        Assert.Equal(["web/vm-a1"], Fish("microvm capture w"));
        Assert.Equal("capture web/vm-a1", Zsh("microvm capture w"));
    }

    /// <summary>What a person would expect to be offered, command by command.</summary>
    [Theory]
    [InlineData("microvm explain ma", "macvtap")]
    [InlineData("microvm explain fire", "firecracker")]
    [InlineData("microvm status nes", "nested")]
    [InlineData("microvm top --sort dr", "drops")]
    [InlineData("microvm topology --he", "--help")]
    [InlineData("microvm doctor nes", "nested")]
    [InlineData("microvm init --type us", "user")]
    [InlineData("microvm init --hypervisor cr", "crosvm")]
    [InlineData("microvm completions zs", "zsh")]
    [InlineData("microvm host inst", "install")]
    [InlineData("microvm fleet u", "up")]
    public void Bash_and_fish_offer_what_is_expected(string line, string offer)
    {
        Assert.Contains(offer, Bash(line.Split(' ')));
        Assert.Contains(Fish(line), w => w.TrimEnd('/') == offer);
    }

    [Fact]
    public void Names_of_VMs_are_offered_where_a_VM_is_asked_for()
    {
        _ns.Ip("link", "add", "vm-a1", "type", "bridge");
        _ns.Ip("link", "set", "vm-a1", "alias", "microvm:web/vm-a1");
        foreach (var command in new[] { "stop", "restart", "logs", "remove", "start", "update" })
        {
            Assert.Contains("web", Bash("microvm", command, "w"));
            Assert.Contains("web", Fish($"microvm {command} w"));
        }
    }

    [Fact]
    public void A_hostile_alias_is_never_evaluated()
    {
        _ns.Ip("link", "add", "vm-a1", "type", "bridge");
        _ns.Ip("link", "set", "vm-a1", "alias", "microvm:w$(touch bad)`touch bad`/vm-a1");
        Assert.Equal("""w\$\(touch\ bad\)\`touch\ bad\`/vm-a1""", Assert.Single(Bash("microvm", "capture", "w")));
        Assert.NotEmpty(Fish("microvm capture w"));
        Assert.NotEmpty(Zsh("microvm capture w"));
        Assert.False(File.Exists(Path.Combine(_folder, "bad")));
    }
}
