using System.CommandLine;
using System.CommandLine.Invocation;
using System.Reflection;

namespace Microvm.Cli.Reference;

/// <summary>What --version prints: the version alone, for scripts.</summary>
internal sealed class VersionLine : SynchronousCommandLineAction
{
    internal static string Version { get; } = typeof(VersionLine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0";

    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        Console.Out.WriteLine(Version);
        return 0;
    }
}
