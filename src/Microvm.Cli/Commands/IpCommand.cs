using System.CommandLine;
using System.Text.Json;
using Microvm.Declaration;
using Microvm.Network.Networks;

namespace Microvm.Cli.Commands;

internal static class IpCommand
{
    private static readonly Argument<string> s_vm = new("VM") { Description = "A VM on a declared network" };

    internal static Command Create() => Verb.Define("ip", "Print the addresses that a VM has on declared networks, one a line",
        ["microvm ip web", "ssh root@$(microvm ip web | head -n 1)"], Run, s_vm, CommonOptions.Json, CommonOptions.Netns);

    private static int Run(ParseResult result)
    {
        var vm = result.GetValue(s_vm)!;
        string[] addresses = [.. Reservation.Of(vm).Select(a => a.ToString())];
        if (addresses.Length == 0)
        {
            Console.Error.WriteLine($"microvm: '{Printable.Of(vm)}' is on no declared network that is up; microvm network shows the networks");
            return 1;
        }
        Console.WriteLine(result.GetValue(CommonOptions.Json) ? JsonSerializer.Serialize(addresses, Reports.Default.StringArray) : string.Join('\n', addresses));
        return 0;
    }
}
