using System.Text;
using System.Text.RegularExpressions;
using Microvm.Declaration;

namespace Microvm.Tests;

/// <summary>Everything in README.md and docs/ that a reader might type is run, in a namespace and a folder of its own, or says in its source why it isn't.</summary>
public sealed partial class PageTests : IDisposable
{
    private static readonly string s_calmClock = $"microvm.kernelParams = [ {string.Join(' ', GuestClock.Parameters.Select(p => $"\"{p}\""))}";
    private static readonly string[] s_shells = ["bash", "sh", "console"];
    private readonly string _folder = Directory.CreateTempSubdirectory("microvm-page-").FullName;
    private readonly Namespace _ns = new();

    public void Dispose()
    {
        foreach (var other in Binary.Run("ip", null, "netns", "list").Out.Split('\n').Select(l => l.Split(' ')[0]).Where(n => n.StartsWith(_ns.Name + "-", StringComparison.Ordinal)))
        {
            Binary.Run("ip", null, "netns", "del", other);
        }
        _ns.Dispose();
        Directory.Delete(_folder, true);
    }

    public static TheoryData<string> Pages() => [.. Page.All];

    [Theory]
    [MemberData(nameof(Pages))]
    public void Every_command_of_a_page_runs(string path)
    {
        var page = Page.Read(path);
        if (!page.Blocks.Any(b => s_shells.Contains(b.Language) && b.NotRun is null))
        {
            return;
        }
        var bin = Directory.CreateDirectory(Path.Combine(_folder, "bin")).FullName;
        var work = Directory.CreateDirectory(Path.Combine(_folder, "work")).FullName;
        File.CreateSymbolicLink(Path.Combine(bin, "microvm"), Binary.Path);
        // The page's reader is not root; this test is.
        File.WriteAllText(Path.Combine(bin, "sudo"), "#!/bin/sh\nexec \"$@\"\n");
        Binary.Run("chmod", null, "+x", Path.Combine(bin, "sudo"));
        File.WriteAllText(Path.Combine(_folder, "page.sh"), Script(page));
        var outcome = Binary.Run("ip", null, "netns", "exec", _ns.Name, "env", "-C", work, $"PATH={bin}:{Environment.GetEnvironmentVariable("PATH")}", $"NS={_ns.Name}",
            $"GUEST={Binary.Root}/out/guest", $"REPOSITORY={Binary.Root}", "NO_COLOR=1", "setsid", "--wait", "timeout", "300", "bash", Path.Combine(_folder, "page.sh"));
        var last = Regex.Matches(outcome.Out, "^== block at line [0-9]+$", RegexOptions.Multiline).LastOrDefault()?.Value ?? "its set-up";
        Assert.True(outcome.Code == 0, $"{path}, {last}: exit code {outcome.Code}\n{outcome.Out}\n{outcome.Err}");
    }

    /// <summary>One script of the whole page, so that a variable, a file and a VM of one block are there in the next.</summary>
    private static string Script(Page page)
    {
        // What a page starts in the background ends with it.
        var script = new StringBuilder("set -euo pipefail\ntrap 'jobs=$(jobs -p); [ -z \"$jobs\" ] || { kill $jobs 2>/dev/null || true; wait; }' EXIT\n");
        foreach (var block in page.Blocks.Where(b => b.NotRun is null))
        {
            block.Marks.Where(m => m.Kind == "setup").ToList().ForEach(m => script.Append(m.Text).Append('\n'));
            if (block.FileName is { } name)
            {
                script.Append($"cat > {Shell.Quote(name)} <<'END-OF-FILE'\n{block.Text.Replace("microvm.kernelParams = [", s_calmClock, StringComparison.Ordinal)}END-OF-FILE\n");
            }
            if (s_shells.Contains(block.Language))
            {
                script.Append($"echo; echo '== block at line {block.Line}'\n{block.Commands}\n");
            }
            block.Marks.Where(m => m.Kind == "then").ToList().ForEach(m => script.Append(m.Text).Append('\n'));
        }
        return script.ToString();
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Every_declaration_of_a_page_passes_check(string path)
    {
        foreach (var block in Page.Read(path).Blocks.Where(b => b.Language is "nix" or "json" && b.NotRun is null && (b.Text.Contains("microvm.") || b.Text.Contains("\"microvm\""))))
        {
            var file = Path.Combine(_folder, $"block-{block.Line}.{block.Language}");
            File.WriteAllText(file, block.Text);
            var check = Binary.Microvm("check", file);
            Assert.True(check.Code == 0, $"{path}, the block at line {block.Line}: {check.Out}{check.Err}");
        }
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void No_command_hides_in_a_block_that_is_not_run(string path)
    {
        foreach (var block in Page.Read(path).Blocks.Where(b => b.Language is "" && b.NotRun is null))
        {
            Assert.False(CommandLike().IsMatch(block.Text), $"{path}, line {block.Line}: say sh or console, or <!-- not run: why --> before it");
        }
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Every_link_of_a_page_leads_somewhere(string path)
    {
        var page = Page.Read(path);
        foreach (var target in Link().Matches(page.Text).Select(m => m.Groups[1].Value).Where(t => !t.Contains("://") && !t.StartsWith("mailto:", StringComparison.Ordinal)))
        {
            var (to, anchor) = target.Split('#', 2) is [var t, var a] ? (t, a) : (target, null);
            var file = to.Length == 0 ? Path.Combine(Binary.Root, path) : Path.GetFullPath(Path.Combine(Binary.Root, Path.GetDirectoryName(path)!, to));
            Assert.True(File.Exists(file) || Directory.Exists(file), $"{path} links to {target}, which is not there");
            Assert.True(anchor is null || Anchors(File.ReadAllText(file)).Contains(anchor), $"{path} links to {target}, and there is no such heading");
        }
    }

    /// <summary>The anchors that GitHub gives headings: small letters, spaces as hyphens, no other punctuation; the same again gets a number.</summary>
    private static HashSet<string> Anchors(string text)
    {
        var seen = new Dictionary<string, int>();
        return [.. Heading().Matches(Fenced().Replace(text, "")).Select(m =>
        {
            var anchor = string.Concat(m.Groups[1].Value.Trim().ToLowerInvariant().Where(c => char.IsLetterOrDigit(c) || c is ' ' or '-' or '_')).Replace(' ', '-');
            var n = seen[anchor] = seen.GetValueOrDefault(anchor, -1) + 1;
            return n == 0 ? anchor : $"{anchor}-{n}";
        })];
    }

    [Theory]
    [InlineData("user")]
    [InlineData("tap")]
    [InlineData("macvtap")]
    [InlineData("bridge")]
    public void Each_type_has_a_page_of_the_same_five_parts_and_none_is_empty(string type)
    {
        var parts = Page.Read($"docs/types/{type}.md").Text.Split("\n## ");
        Assert.Equal($"# Type {type}", parts[0].Trim());
        Assert.Equal(["What it is", "When to use it", "Host set-up", "Guest set-up", "Troubleshooting"], parts[1..].Select(p => p.Split('\n')[0]));
        Assert.All(parts[1..], p => Assert.True(p.Length > 60, p));
        Assert.Equal(Enum.GetNames<Microvm.Declaration.InterfaceType>().Select(n => n.ToLowerInvariant()).Order(), Directory.GetFiles(Path.Combine(Binary.Root, "docs/types")).Select(f => Path.GetFileNameWithoutExtension(f)).Order());
    }

    /// <summary>The table of contents, what is generated to look things up, and the records of decisions are no pages that lead on.</summary>
    public static TheoryData<string> LeadingPages() => [.. Page.All.Where(p => p.StartsWith("docs/", StringComparison.Ordinal) && !p.StartsWith("docs/decisions/", StringComparison.Ordinal)
        && p is not ("docs/README.md" or "docs/cli.md" or "docs/options.md" or "docs/declaration.md"))];

    [Theory]
    [MemberData(nameof(LeadingPages))]
    public void Every_page_ends_with_what_to_type_or_read_next(string path)
    {
        var last = Page.Read(path).Text.TrimEnd().Split("\n\n")[^1];
        Assert.StartsWith("**Next:** ", last, StringComparison.Ordinal);
        Assert.True(last.Contains("](", StringComparison.Ordinal) || last.Contains('`', StringComparison.Ordinal), last);
    }

    /// <summary>A recipe that nothing of is run shows nothing.</summary>
    [Theory]
    [InlineData("docs/networks/bridged.md", "ping")]
    [InlineData("docs/networks/nat.md", "ping")]
    [InlineData("docs/networks/routed.md", "ping")]
    [InlineData("docs/migration/microvm-nix.md", "microvm")]
    [InlineData("docs/migration/libvirt.md", "microvm")]
    public void Recipes_and_migrations_are_run_for_real(string path, string command) =>
        Assert.Contains(Page.Read(path).Blocks, b => s_shells.Contains(b.Language) && b.NotRun is null && (b.Commands.Contains(command) || b.Marks.Any(m => m.Text.Contains(command))));

    [Fact]
    public void The_page_of_the_doctor_names_every_check() =>
        Assert.All(Host.Doctor.Checkup.All, c => Assert.Contains($"`{c.Name}`", Page.Read("docs/observing.md").Text));

    [Theory]
    [MemberData(nameof(Pages))]
    public void Every_test_that_a_page_names_is_there(string path)
    {
        var tests = typeof(PageTests).Assembly.GetTypes().SelectMany(t => t.GetMethods()).Select(m => m.Name).ToHashSet();
        Assert.All(TestName().Matches(Page.Read(path).Text).Select(m => m.Groups[1].Value), name => Assert.Contains(name, tests));
    }

    [Fact]
    public void Every_page_is_in_the_index_of_the_book()
    {
        var index = Page.Read("docs/README.md").Text;
        Assert.All(Page.All.Where(p => p.StartsWith("docs/", StringComparison.Ordinal) && p != "docs/README.md"), p => Assert.Contains($"({p["docs/".Length..]})", index));
    }

    // The repository's own scripts are what CI runs.
    [GeneratedRegex(@"^(\$ |sudo |microvm |\./(?!quickstart\.sh|test\.sh|build\.sh)|git clone)", RegexOptions.Multiline)] private static partial Regex CommandLike();
    [GeneratedRegex(@"`([A-Z][a-z]*(?:_[A-Za-z0-9]+){2,})`")] private static partial Regex TestName();
    [GeneratedRegex(@"^#{1,6} (.+)$", RegexOptions.Multiline)] private static partial Regex Heading();
    [GeneratedRegex(@"^```.*?^```$", RegexOptions.Multiline | RegexOptions.Singleline)] private static partial Regex Fenced();
    [GeneratedRegex(@"\]\(([^)\s]+)\)")] private static partial Regex Link();
}
