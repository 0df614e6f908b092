using System.CommandLine;
using Microvm.Declaration;

namespace Microvm.Cli.Commands;

internal static class SchemaCommand
{
    internal static Command Create() => Verb.Define("schema", "Print the JSON Schema of a declaration, for editors",
        ["microvm schema", "microvm schema > microvm.schema.json"], Run);

    private static int Run(ParseResult result)
    {
        Console.Out.Write(JsonSchema.Text());
        return 0;
    }
}
