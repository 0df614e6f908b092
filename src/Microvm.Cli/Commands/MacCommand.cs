using System.CommandLine;
using System.Text.Json;
using Microvm.Declaration;

namespace Microvm.Cli.Commands;

internal static class MacCommand
{
    private static readonly Argument<string[]> s_names = new("NAME") { Description = "Any text; VM/ID is a good choice", Arity = ArgumentArity.OneOrMore };

    internal static Command Create() => Verb.Define(new DocumentedCommand("mac", "Print a stable, locally administered MAC address for each name",
        ["microvm mac web/vm-a1", "microvm mac --json web/vm-a1 db/vm-a2"])
    { Details = ["The same name gives the same address everywhere, including nix/lib/mac.nix: the first six octets of the SHA-256 of 'microvm:NAME', marked as locally administered and unicast."] },
        Run, s_names, CommonOptions.Json);

    private static int Run(ParseResult result)
    {
        var macs = result.GetValue(s_names)!.Select(n => (Name: n, Mac: MacFromName.Of(n).ToString())).ToList();
        if (result.GetValue(CommonOptions.Json))
        {
            // A name given twice is one member: JSON's members are unique.
            Console.WriteLine(JsonSerializer.Serialize(macs.DistinctBy(m => m.Name).ToDictionary(m => m.Name, m => m.Mac), Reports.Default.DictionaryStringString));
            return 0;
        }
        foreach (var (name, mac) in macs)
        {
            Console.WriteLine(macs.Count == 1 ? mac : $"{mac}  {Printable.Of(name)}");
        }
        return 0;
    }
}
