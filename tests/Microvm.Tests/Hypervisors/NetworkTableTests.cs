using System.Text;
using Microvm.Declaration;
using Microvm.Hypervisors;

namespace Microvm.Tests;

/// <summary>The committed table: type x hypervisor x {1, 4} vCPUs, with the words that each hypervisor is given.</summary>
[Trait("needs", "nothing")]
public sealed class NetworkTableTests
{
    private static readonly string s_table = Path.Combine(Binary.Root, "tests", "Microvm.Tests", "Hypervisors", "network.tsv");
    private static readonly string s_page = Path.Combine(Binary.Root, "docs", "hypervisors.md");
    private const string Begin = "<!-- generated: the table of tests/Microvm.Tests/Hypervisors/network.tsv -->", End = "<!-- end of the generated part -->";

    [Fact]
    public void The_network_words_are_as_committed()
    {
        var table = Table();
        Assert.Equal(2 * 4 * 8, table.Count);
        var text = "hypervisor\ttype\tvCPUs\tattachment\tqueue pairs\twords\n" + string.Concat(table.Select(r => string.Join('\t', r) + "\n"));
        var page = File.ReadAllText(s_page);
        var (from, to) = (page.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length, page.IndexOf(End, StringComparison.Ordinal));
        var generated = page[..from] + "\n\n" + Markdown(table) + "\n" + page[to..];
        if (Environment.GetEnvironmentVariable("MICROVM_UPDATE") is { Length: > 0 })
        {
            File.WriteAllText(s_table, text);
            File.WriteAllText(s_page, generated);
        }
        Assert.Equal(File.ReadAllText(s_table), text);
        Assert.Equal(File.ReadAllText(s_page), generated);
    }

    [Fact]
    public void The_facts_of_each_attachment_are_what_hypervisors_accept_and_the_host_gets_links_for()
    {
        Assert.Equal(Enum.GetValues<AttachmentKind>(), AttachmentFacts.All.Select(f => f.Kind));
        Assert.Equal(AttachmentFacts.All.Count, AttachmentFacts.All.Select(f => f.Word).Distinct().Count());
        Assert.Equal(MicrovmOptions.Hypervisors, HypervisorTable.All.Select(h => h.Name));
        var seen = new HashSet<AttachmentKind>();
        foreach (var hypervisor in HypervisorTable.All)
        {
            foreach (var type in Enum.GetValues<InterfaceType>())
            {
                foreach (var kind in hypervisor.Accepts(type))
                {
                    Assert.Contains(type, kind.Facts().Types);
                    var attachment = NetworkHost.Attach("vm", "vm-a1", kind, "eth0", MacvtapMode.Bridge);
                    attachment = attachment with { Interface = attachment.Interface with { Type = type } };
                    Assert.Equal(kind.Facts().HasLink, Microvm.Network.DesiredLink.Of([attachment], null, null).Any());
                    seen.Add(kind);
                }
            }
        }
        // A redirect is nobody's own choice.
        Assert.Equal(AttachmentFacts.All.Select(f => f.Kind).Except([AttachmentKind.TapRedirect]).Order(), seen.Except([AttachmentKind.TapRedirect]).Order());
    }

    private static List<string[]> Table()
    {
        var rows = new List<string[]>();
        foreach (var hypervisor in HypervisorTable.All)
        {
            foreach (var type in Enum.GetValues<InterfaceType>())
            {
                foreach (var vcpu in (int[])[1, 4])
                {
                    var more = type switch
                    {
                        InterfaceType.Macvtap => ",\"macvtap\":{\"link\":\"eth0\",\"mode\":\"bridge\"}",
                        InterfaceType.Bridge => ",\"bridge\":\"br0\"",
                        _ => "",
                    };
                    var name = type.ToString().ToLowerInvariant();
                    var json = $$"""{"microvm":{"hypervisor":"{{hypervisor.Name}}","vcpu":{{vcpu}},"interfaces":[{"type":"{{name}}","id":"vm-a1","mac":"02:00:00:00:00:01"{{more}} }]} }""";
                    var vm = new DeclarationReader(new()).Read(JsonFrontDoor.Read("vm.json", Encoding.UTF8.GetBytes(json), new())!)!;
                    var attachments = HypervisorTable.Attach(vm, out var refusal);
                    rows.Add(refusal is null
                        ? [hypervisor.Name, name, $"{vcpu}", $"{attachments[0].Kind}", $"{attachments[0].QueuePairs}", string.Join(' ', hypervisor.Network(vm, attachments[0], 0, Invocation.FirstDescriptor, new(Kvm: true)))]
                        : [hypervisor.Name, name, $"{vcpu}", "-", "-", $"refused: {refusal}"]);
                }
            }
        }
        return rows;
    }

    private static string Markdown(List<string[]> table)
    {
        var page = new StringBuilder();
        foreach (var rows in table.GroupBy(r => r[0]))
        {
            var facts = string.Concat(HypervisorTable.Find(rows.Key)!.Facts.Sentences().Select(s => $"- **{s.Title}**: {s.Text}.\n"));
            var shown = rows.Key == "qemu" ? "run for real by the tests" : "checked against its published grammar";
            _ = page.Append($"### {rows.Key}\n\n{facts}\nSyntax from {HypervisorTable.Find(rows.Key)!.Source}; {shown}.\n\n| type | vCPUs | attachment | queue pairs | words |\n|---|---|---|---|---|\n");
            foreach (var r in rows)
            {
                _ = page.Append($"| {r[1]} | {r[2]} | {r[3]} | {r[4]} | {(r[3] == "-" ? r[5] : $"`{r[5]}`")} |\n");
            }
            _ = page.Append('\n');
        }
        return page.ToString();
    }
}
