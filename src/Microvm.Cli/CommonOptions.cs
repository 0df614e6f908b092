using System.CommandLine;
using Microvm.Network;

namespace Microvm.Cli;

/// <summary>The arguments and options that several commands share.</summary>
internal static class CommonOptions
{
    internal static readonly Argument<string[]> Files = new("FILE") { Description = "Declarations: .nix files, or JSON (- for standard input)", Arity = ArgumentArity.OneOrMore };
    internal static readonly Argument<string[]> MaybeFiles = new("FILE") { Description = "Declarations; without any, all links that are ours", Arity = ArgumentArity.ZeroOrMore };
    internal static readonly Argument<string[]> FilesOrVm = new("FILE") { Description = "Declarations: .nix files, or JSON (- for standard input)", Arity = ArgumentArity.ZeroOrMore };
    internal static readonly Option<string[]> Attachment = new("--attachment") { Description = "Attach an interface in another way than the hypervisor's best: tap-by-name, tap-by-fd, tap-redirect, user-namespace, bridge-helper", HelpName = "ID=KIND", DefaultValueFactory = _ => [] };
    internal static readonly Option<bool> ReplaceRunning = new("--replace-running") { Description = "Replace and delete also what a VM has open; it loses its network until it is restarted" };
    internal static readonly Option<LinkSelection> Only = new("--only") { Description = "Only interfaces of this type: tap or macvtap", HelpName = "TYPE" };
    internal static readonly Option<bool> Json = new("--json") { Description = "Print JSON for scripts" };
    internal static readonly Option<string> Color = new Option<string>("--color") { Description = "Colour: auto (on a terminal, without NO_COLOR), always or never", HelpName = "WHEN", Recursive = true }.AcceptOnlyFromAmong("auto", "always", "never");
    internal static readonly Option<double> Interval = new("--interval", "-n") { Description = "Seconds between looks", HelpName = "SECONDS", DefaultValueFactory = _ => 2 };
    internal static readonly Option<string?> Netns = new("--netns") { Description = "Work in this named network namespace", HelpName = "NAME" };
    internal static readonly Option<string?> User = new("--user") { Description = "Who may open the taps (default: microvm.user, else the caller, also behind sudo; for root itself the user microvm)", HelpName = "USER" };
    internal static readonly Option<string?> Group = new("--group") { Description = "Which group may open the taps", HelpName = "GROUP" };

    /// <summary>The interval, from a tenth of a second to a day.</summary>
    internal static TimeSpan IntervalOf(ParseResult result) => result.GetValue(Interval) is >= 0.1 and <= 86400 and var seconds
        ? TimeSpan.FromSeconds(seconds) : throw new UsageException("--interval takes 0.1 to 86400 seconds");
}
