namespace Microvm.Tests;

/// <summary>What surrounds the program when it is started: its folder, streams, limits and environment.</summary>
public sealed class SurroundingsTests : IDisposable
{
    private readonly Folder _folder = new();
    private readonly Namespace _ns = new();

    public void Dispose()
    {
        _ns.Dispose();
        _folder.Dispose();
    }

    private string Vm(string more = "") =>
        _folder.File("vm.json", $$"""{"networking":{"hostName":"a"},"microvm":{ {{more}}"interfaces":[{"type":"tap","id":"vm-a1","mac":"02:00:00:00:00:01"}] } }""");

    private string Home => Path.GetDirectoryName(_folder.File("x", ""))!;

    /// <summary>A line of a shell, where <c>$m</c> is the binary, <c>$ns</c> the namespace and <c>$vm</c> the declaration.</summary>
    private Binary.Outcome Shell(string line) => Binary.Run("env", null, $"m={Binary.Path}", $"ns={_ns.Name}", $"vm={Vm()}", "sh", "-c", line);

    private static void Clean(Binary.Outcome outcome)
    {
        Assert.DoesNotContain("   at ", outcome.Out + outcome.Err);
        Assert.DoesNotContain("internal error", outcome.Err);
        Assert.DoesNotContain("could not be told", outcome.Err);
    }

    [Fact]
    public void A_program_that_lies_in_the_current_directory_is_never_started()
    {
        // .NET's own search looks there before the PATH, and root may stand in anybody's folder.
        var told = Path.Combine(Home, "told");
        foreach (var program in (string[])["nix-instantiate", "nix", "bash", "systemctl", "mkfs.ext4"])
        {
            Assert.Equal(0, Binary.Run("chmod", null, "755", _folder.File(program, $"#!/bin/sh\necho {program} >> {told}\n")).Code);
        }
        _folder.File("vm.nix", NixFrontDoorTests.SpecificationTap);
        var check = Binary.Run("env", null, "-C", Home, Binary.Path, "check", "vm.nix");
        Assert.True(check.Code == 0, check.Out + check.Err);
        var vm = _folder.File("run.json", """{"microvm":{"kernel":"/boot/vmlinuz","preStart":"exit 7","volumes":[{"image":"disk.img","size":8,"mountPoint":"/d"}]}}""");
        var run = Binary.Run("env", null, "-C", Home, Binary.Path, "run", vm);
        Assert.Contains("microvm.preStart failed with exit code 7", run.Err);
        Binary.Run("env", null, "-C", Home, Binary.Path, "list");
        Assert.False(File.Exists(told), File.Exists(told) ? File.ReadAllText(told) : "");
    }

    [Fact]
    public void No_thread_is_given_the_number_of_a_closed_stream_however_often_it_is_tried()
    {
        Assert.SkipWhen(File.Exists($"{Binary.Path}.dll"), "the managed runtime takes the closed descriptor for itself before we run");
        var check = Shell("n=0; while [ $n -lt 60 ]; do \"$m\" check \"$vm\" >&- || exit 9; n=$((n + 1)); done");
        Assert.True(check.Code == 0, check.Out + check.Err);
    }

    [Theory]
    [InlineData("\"$m\" up --netns \"$ns\" \"$vm\" <&- && \"$m\" status --netns \"$ns\" <&-")]
    [InlineData("\"$m\" up --netns \"$ns\" \"$vm\" >&-")]
    [InlineData("\"$m\" up --netns \"$ns\" \"$vm\" 2>&-")]
    [InlineData("\"$m\" up --netns \"$ns\" \"$vm\" <&- >&- 2>&-")]
    public void With_a_closed_stream_the_work_is_done_all_the_same(string line)
    {
        Assert.SkipWhen(File.Exists($"{Binary.Path}.dll"), "the managed runtime takes the closed descriptor for itself before we run");
        var before = _ns.Links();
        var up = Shell(line);
        Clean(up);
        Assert.True(up.Code == 0, up.Out + up.Err);
        Assert.Contains("microvm:a/vm-a1", _ns.Links());
        var down = Shell("\"$m\" down --netns \"$ns\" \"$vm\" <&- >&- 2>&-");
        Assert.Equal(0, down.Code);
        Assert.Equal(before, _ns.Links());
    }

    [Fact]
    public void A_closed_standard_input_is_an_empty_declaration()
    {
        Assert.SkipWhen(File.Exists($"{Binary.Path}.dll"), "the managed runtime takes the closed descriptor for itself before we run");
        var outcome = Shell("\"$m\" check - <&-");
        Assert.Equal((2, "<stdin>: error: this is empty; 'microvm init' writes a declaration to start from\n"), (outcome.Code, outcome.Out));
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("--version")]
    [InlineData("up --help")]
    [InlineData("schema")]
    [InlineData("check $vm")]
    [InlineData("plan --netns $ns $vm")]
    [InlineData("status --netns $ns --json")]
    [InlineData("metrics --netns $ns")]
    public void Output_that_can_not_be_written_is_an_error_in_one_line(string command)
    {
        var outcome = Shell($"\"$m\" {command} > /dev/full");
        Assert.Equal(1, outcome.Code);
        Assert.Contains("No space left on device", outcome.Err);
        Assert.Single(outcome.Err.TrimEnd('\n').Split('\n'));
    }

    /// <summary>1 would say that nothing was changed.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("--json")]
    [InlineData("--made")]
    public void Up_and_down_that_can_not_print_what_they_did_say_that_it_is_done(string option)
    {
        var up = Shell($"\"$m\" up --netns $ns {option} $vm > /dev/full");
        Assert.Equal((4, "microvm: everything was done, but it could not be printed: write to descriptor 1: No space left on device\n"), (up.Code, up.Err));
        Assert.Equal(0, Shell("\"$m\" plan --netns $ns --exit-code $vm").Code);
        var down = Shell($"\"$m\" down --netns $ns $vm > /dev/full");
        Assert.Equal(4, down.Code);
        Assert.Equal(3, Shell("\"$m\" plan --netns $ns --exit-code $vm").Code);
    }

    [Theory]
    [InlineData("check vm.json", 2)]
    [InlineData("up vm.json", 2)]
    [InlineData("init -o vm.nix", 1)]
    public void A_current_directory_that_was_deleted_is_told(string command, int code)
    {
        var outcome = Shell($"mkdir {Home}/gone && cd {Home}/gone && rmdir {Home}/gone && \"$m\" {command}");
        Assert.Equal(code, outcome.Code);
        Assert.Contains("the current directory was deleted", outcome.Out + outcome.Err);
        var whole = Shell($"mkdir {Home}/gone && cd {Home}/gone && rmdir {Home}/gone && \"$m\" check \"$vm\"");
        Assert.True(whole.Code == 0, whole.Out);
    }

    [Theory]
    [InlineData("up --adpot $vm", "'up' has no option --adpot; did you mean --adopt?")]
    [InlineData("plan --adopt $vm", "'plan' has no option --adopt")]
    [InlineData("check -x $vm", "'check' has no option -x")]
    [InlineData("status --jsn", "'status' has no option --jsn; did you mean --json?")]
    public void A_mistyped_option_is_not_taken_for_a_file(string command, string says)
    {
        var before = _ns.Links();
        var outcome = Binary.Run("ip", null, "netns", "exec", _ns.Name, "env", $"m={Binary.Path}", $"vm={Vm()}", "sh", "-c", $"\"$m\" {command}");
        Assert.Equal(2, outcome.Code);
        Assert.Contains(says, outcome.Err);
        Assert.Equal(before, _ns.Links());
    }

    [Fact]
    public void A_file_whose_name_begins_with_a_dash_is_read_behind_two_of_them()
    {
        File.Move(Vm(), Path.Combine(Home, "-vm.json"));
        var outcome = Binary.Run("env", null, "-C", Home, Binary.Path, "check", "--", "-vm.json");
        Assert.True(outcome.Code == 0, outcome.Out + outcome.Err);
    }

    [Theory]
    [InlineData("\"$m\" check ''", "needs a name")]
    [InlineData("\"$m\" check /dev/null", "this is empty")]
    [InlineData("printf ' \\n\\t' | \"$m\" check -", "this is empty")]
    public void Nothing_for_a_declaration_is_told_as_that(string line, string says)
    {
        var outcome = Shell(line);
        Assert.Equal(2, outcome.Code);
        Assert.Contains(says, outcome.Out);
    }

    [Theory]
    [InlineData("--user 4294967295")]
    [InlineData("--user -1")]
    [InlineData("--group 4294967295")]
    [InlineData("--user 99999999999")]
    public void A_number_that_is_nobodys_is_no_user(string account)
    {
        var before = _ns.Links();
        var outcome = Shell($"\"$m\" up --netns \"$ns\" {account} \"$vm\"");
        Assert.Equal(2, outcome.Code);
        Assert.Contains("on this host", outcome.Err);
        Assert.Equal(before, _ns.Links());
    }

    [Fact]
    public void However_few_descriptors_there_are_the_host_is_as_before_or_as_wanted()
    {
        Assert.SkipWhen(File.Exists($"{Binary.Path}.dll"), "the managed runtime itself needs more than a hundred");
        var before = _ns.Links();
        var vm = _folder.File("vm.nix", NixFrontDoorTests.SpecificationTap);
        var done = 0;
        for (var limit = 4; limit <= 24; limit++)
        {
            var up = Shell($"ulimit -n {limit}; \"$m\" up --netns \"$ns\" \"$vm\"");
            Clean(up);
            if (up.Code == 0)
            {
                done++;
                Assert.Contains("microvm:a/vm-a1", _ns.Links());
                Assert.Equal(0, Shell("\"$m\" down --netns \"$ns\" \"$vm\"").Code);
            }
            else
            {
                Assert.Contains("Too many open files", up.Err);
            }
            Assert.Equal(before, _ns.Links());
            // Nix itself may be what can't open its files.
            Clean(Shell($"ulimit -n {limit}; \"$m\" check {vm}"));
        }
        Assert.NotEqual(0, done);
    }

    [Theory]
    [InlineData("-i")]
    [InlineData("-u HOME")]
    [InlineData("HOME= TMPDIR=/nonexistent TERM= COLUMNS=-5")]
    [InlineData("LANG=tr_TR.UTF-8 LC_ALL=tr_TR.UTF-8")]
    [InlineData("TZ=Nowhere/Nothing COLUMNS=99999999999")]
    public void No_environment_changes_what_is_made(string environment)
    {
        var up = Shell($"env {environment} \"$m\" up --netns \"$ns\" \"$vm\" && env {environment} \"$m\" status --netns \"$ns\" \"$vm\" --exit-code");
        Assert.True(up.Code == 0, up.Out + up.Err);
        Assert.Contains("microvm:a/vm-a1", _ns.Links());
    }
}
