namespace Microvm.Tests;

/// <summary>What a person gets to read who mistyped, or is in the wrong place: their own words, and what to do.</summary>
public sealed class MisuseTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("microvm-misuse-").FullName;
    public void Dispose() => Directory.Delete(_folder, true);

    [Theory]
    [InlineData("microvm: there is no command 'dwon'; did you mean 'down'?", "dwon", "web.nix")]
    [InlineData("microvm: there is no command 'frobnicate'", "frobnicate")]
    [InlineData("microvm: there is no command 'sttaus'; did you mean 'status'?", "sttaus")]
    [InlineData("microvm: there is no command 'ls'; did you mean 'list'?", "ls")]
    [InlineData("microvm: there is no command 'rm'; did you mean 'remove'?", "rm", "web")]
    [InlineData("microvm: there is no command 'foo'", "foo")]
    [InlineData("microvm: there is no command 'net'", "net")]
    [InlineData("microvm: there is no command 'vm'", "vm")]
    [InlineData("microvm: 'plan' has no option --vm", "plan", "--vm")]
    [InlineData("microvm: there is no command 'instal'; did you mean 'install'?", "host", "instal")]
    [InlineData("microvm: 'status' has no option --jsn; did you mean --json?", "status", "--jsn")]
    [InlineData("microvm: 'doctor' has no option --frobnicate", "doctor", "web.nix", "--frobnicate")]
    [InlineData("microvm: 'microvm' has no option --versoin; did you mean --version?", "--versoin")]
    [InlineData("microvm: Argument 'fishy' not recognized. Must be one of: 'bash' 'zsh' 'fish' 'vms' 'links' 'namespaces' 'users' 'groups'", "completions", "fishy")]
    public void A_mistyped_word_is_named_with_the_nearest(string told, params string[] typed)
    {
        var outcome = Binary.Microvm(typed);
        Assert.Equal((2, ""), (outcome.Code, outcome.Out));
        Assert.Equal(told, outcome.Err.Split('\n')[0]);
        Assert.Matches(@"^microvm: [^\n]+\nTry 'microvm [^\n]*--help'\.\n$", outcome.Err);
    }

    [Fact]
    public void A_file_may_begin_with_a_dash_after_two_of_them()
    {
        File.WriteAllText(Path.Combine(_folder, "-vm.json"), """{"microvm":{"interfaces":[]}}""");
        var outcome = Binary.Run("env", null, "-C", _folder, Binary.Path, "check", "--", "-vm.json");
        Assert.True(outcome.Code == 0, outcome.Out + outcome.Err);
    }

    [Fact]
    public void Without_a_command_the_help_is_shown()
    {
        var outcome = Binary.Microvm();
        Assert.Equal((2, Binary.Microvm("--help").Out), (outcome.Code, outcome.Out));
    }

    [Theory]
    [InlineData("there is no such file", "no.nix")]
    [InlineData("there is no such file", "no.json")]
    [InlineData("there is no such file", "no/such.json")]
    public void A_file_that_is_not_there_is_said_so(string told, string file) =>
        Assert.Equal($"{file}: error: {told}", Binary.Microvm("up", file).Err.Split('\n')[0]);

    [Fact]
    public void Init_says_that_a_file_is_there_and_leaves_it()
    {
        var file = Path.Combine(_folder, "web.nix");
        File.WriteAllText(file, "mine");
        var outcome = Binary.Microvm("init", "--name", "web", "--type", "tap", "-o", file);
        Assert.Equal((1, $"microvm: {file} already exists, and init never overwrites a file: choose another file with -o\n"), (outcome.Code, outcome.Err));
        Assert.Equal("mine", File.ReadAllText(file));
    }

    [Theory]
    [InlineData("microvm: can't write '{0}/map.svg': permission denied\n", "topology", "vm.json", "--svg", "-o", "{0}/map.svg")]
    [InlineData("microvm: can't write '{0}/no/map.svg': its directory is not there\n", "topology", "vm.json", "--svg", "-o", "{0}/no/map.svg")]
    [InlineData("microvm: {0}/runner can't be made: permission denied\n", "build", "vm.json", "-o", "{0}/runner")]
    [InlineData("secret.json: error: can't be read: permission denied\n", "check", "secret.json")]
    public void An_ordinary_user_is_told_which_file_and_not_how_it_was_tried(string told, params string[] typed)
    {
        File.WriteAllText(Path.Combine(_folder, "vm.json"), """{"microvm":{"interfaces":[]}}""");
        File.WriteAllText(Path.Combine(_folder, "secret.json"), "{}");
        Binary.Run("chmod", null, "0755", _folder);
        Binary.Run("chmod", null, "0600", Path.Combine(_folder, "secret.json"));
        var outcome = AsAnn([], [.. typed.Select(t => string.Format(System.Globalization.CultureInfo.InvariantCulture, t, _folder))]);
        Assert.NotEqual(0, outcome.Code);
        Assert.EndsWith(string.Format(System.Globalization.CultureInfo.InvariantCulture, told, _folder), outcome.Out + outcome.Err, StringComparison.Ordinal);
    }

    [Fact]
    public void What_an_ordinary_user_made_with_sudo_is_right_for_the_same_users_status_and_plan()
    {
        using var ns = new Namespace();
        File.WriteAllText(Path.Combine(_folder, "vm.json"), """{"networking":{"hostName":"web"},"microvm":{"interfaces":[{"type":"tap","id":"vm-web","mac":"02:00:00:00:00:01"}]}}""");
        Binary.Run("chmod", null, "0755", _folder);
        var up = Binary.Run("env", null, "SUDO_UID=1234", "SUDO_GID=4321", Binary.Path, "up", "--netns", ns.Name, Path.Combine(_folder, "vm.json"));
        Assert.True(up.Code == 0, up.Err);
        var status = AsAnn(["ip", "netns", "exec", ns.Name], "status", "--exit-code", "vm.json");
        Assert.True(status.Code == 0, status.Out + status.Err);
        Assert.Contains("nothing to do", AsAnn(["ip", "netns", "exec", ns.Name], "plan", "vm.json").Out, StringComparison.Ordinal);
    }

    /// <summary>The command as user 1234, in the folder.</summary>
    private Binary.Outcome AsAnn(string[] around, params string[] typed)
    {
        // Where the checkout is may be closed to others: the binary is taken in through a copy.
        var binary = Path.Combine(_folder, "microvm");
        var alone = Binary.Path.EndsWith("out/microvm", StringComparison.Ordinal);
        if (alone)
        {
            File.Copy(Binary.Path, binary, overwrite: true);
        }
        string[] words = [.. around, "setpriv", "--reuid=1234", "--regid=4321", "--clear-groups", "env", "-C", _folder, alone ? binary : Binary.Path, .. typed];
        return Binary.Run(words[0], null, words[1..]);
    }
}
