using System.CommandLine;
using System.Globalization;
using Microvm.Linux;

namespace Microvm.Cli.Commands;

internal static class LogsCommand
{
    private static readonly Option<bool> s_follow = new("--follow", "-f") { Description = "Continue as more is written" };
    private static readonly Option<int?> s_lines = new("--lines", "-n") { Description = "Only this many of the last lines", HelpName = "N" };

    internal static Command Create() => Verb.Define("logs", "Show a VM's console and the log of its units",
        ["microvm logs web", "microvm logs web --follow", "microvm logs web -n 50"], Run, VmHost.Name, s_follow, s_lines, VmHost.State);

    private static int Run(ParseResult result)
    {
        var vm = VmHost.Existing(VmHost.Directory(result), result.GetValue(VmHost.Name)!);
        var words = new List<string> { "journalctl", "--no-hostname" };
        foreach (var unit in (string[])["microvm", "microvm-interfaces", "microvm-tap-interfaces", "microvm-macvtap-interfaces", "microvm-set-booted", "microvm-pause", "microvm-pci-devices", "microvm-virtiofsd"])
        {
            words.AddRange(["--unit", $"{unit}@{vm.Name}.service"]);
        }
        if (result.GetValue(s_lines) is { } lines)
        {
            words.AddRange(["--lines", lines >= 0 ? lines.ToString(CultureInfo.InvariantCulture) : throw new UsageException("--lines takes a number from 0 up")]);
        }
        if (result.GetValue(s_follow))
        {
            words.Add("--follow");
        }
        if (!Terminal.Output.IsTerminal)
        {
            words.Add("--no-pager");
        }
        PosixProcess.Exec(words);
        return 1;
    }
}
