using System.CommandLine;
using Microvm.Network;

namespace Microvm.Cli;

/// <summary>The arguments and options that several commands share.</summary>
internal static class CommonOptions
{
    internal static readonly Argument<string[]> Files = new("FILE") { Description = "Declarations: .nix files, or JSON (- for standard input)", Arity = ArgumentArity.OneOrMore };
    internal static readonly Argument<string[]> MaybeFiles = new("FILE") { Description = "Declarations, or names of this host's VMs; without any: all links that microvm created, compared with what this host's VMs were started from", Arity = ArgumentArity.ZeroOrMore };
    internal static readonly Argument<string[]> FilesOrVm = new("FILE") { Description = "Declarations: .nix files, or JSON (- for standard input)", Arity = ArgumentArity.ZeroOrMore };
    internal static readonly Option<string[]> Attachment = new("--attachment") { Description = "Attach an interface differently from the hypervisor's default: tap-by-name, tap-by-fd, tap-redirect, user-namespace, bridge-helper", HelpName = "ID=KIND", DefaultValueFactory = _ => [] };
    internal static readonly Option<bool> Replace = new("--replace") { Description = "Replace links even if something that depends on them is lost; 'plan' says what" };
    internal static readonly Option<bool> ReplaceRunning = new("--replace-running") { Description = "Also replace and delete links that a VM has open; it loses its network until it is restarted" };
    internal static readonly Option<bool> DeleteRunning = new("--delete-running") { Description = "Also delete links that a VM has open; it loses its network" };
    internal static readonly Option<LinkSelection> Only = new("--only") { Description = "Only interfaces of this type: tap or macvtap", HelpName = "TYPE" };
    internal static readonly Option<bool> Json = new("--json") { Description = "Print JSON for scripts" };
    internal static readonly Option<string> Color = new Option<string>("--color") { Description = "Colour: auto (on a terminal, without NO_COLOR), always or never", HelpName = "WHEN", Recursive = true }.AcceptOnlyFromAmong("auto", "always", "never");
    internal static readonly Option<double> Interval = new("--interval", "-n") { Description = "Seconds between refreshes", HelpName = "SECONDS", DefaultValueFactory = _ => 2 };
    internal static readonly Option<string?> Netns = new("--netns") { Description = "Work in this named network namespace", HelpName = "NAME" };
    internal static readonly Option<string?> User = new("--user") { Description = "Who may open the taps (default: microvm.user, or else the caller, with sudo the user who called sudo; for root itself the user microvm)", HelpName = "USER" };
    internal static readonly Option<string?> Group = new("--group") { Description = "Which group may open the taps", HelpName = "GROUP" };

    internal static readonly Option<bool> Online = new("--online") { Description = "Let nix fetch a flake and its inputs over the network" };
    internal static readonly Option<string[]> Arg = new("--arg") { Description = "An argument that modules take: --arg NAME EXPR, a Nix expression", HelpName = "NAME EXPR", DefaultValueFactory = _ => [] };
    internal static readonly Option<string[]> ArgText = new("--argstr") { Description = "An argument that modules take: --argstr NAME TEXT", HelpName = "NAME TEXT", DefaultValueFactory = _ => [] };

    /// <summary>nix writes <c>--arg NAME EXPR</c>, three words; an option here takes one value, so the two become <c>NAME=EXPR</c>.</summary>
    internal static string[] JoinArguments(string[] args)
    {
        var joined = new List<string>(args.Length);
        for (var i = 0; i < args.Length; i++)
        {
            if (args[i] == "--")
            {
                joined.AddRange(args[i..]);
                break;
            }
            if (args[i] is "--arg" or "--argstr" && i + 2 < args.Length && !args[i + 1].Contains('=') && !args[i + 1].StartsWith('-'))
            {
                joined.Add(args[i]);
                joined.Add($"{args[i + 1]}={args[i + 2]}");
                i += 2;
            }
            else
            {
                joined.Add(args[i]);
            }
        }
        return [.. joined];
    }

    /// <summary>The commands that need what a VM starts from.</summary>
    private static readonly string[] s_starting = ["run", "command", "build", "create", "update"];

    /// <summary>What a command line says about evaluating declarations in Nix.</summary>
    internal static Nix.NixOptions NixOptionsOf(System.CommandLine.ParseResult result)
    {
        if (!result.CommandResult.Command.Options.Contains(Online))
        {
            return Nix.NixOptions.Standard;
        }
        return new()
        {
            Online = result.GetValue(Online),
            Boots = s_starting.Contains(result.CommandResult.Command.Name),
            Arguments = [.. Given(result.GetValue(Arg), false), .. Given(result.GetValue(ArgText), true)],
        };
    }

    private static IEnumerable<Nix.NixArgument> Given(string[]? values, bool isText) => (values ?? []).Select(v => v.IndexOf('=') is > 0 and var at
        ? new Nix.NixArgument(v[..at], v[(at + 1)..], isText)
        : throw new UsageException($"{(isText ? "--argstr" : "--arg")} takes a name and {(isText ? "a text" : "an expression")}: {(isText ? "--argstr hostName web" : "--arg vcpu 2")}"));

    /// <summary>The interval, from a tenth of a second to a day.</summary>
    internal static TimeSpan IntervalOf(ParseResult result) => result.GetValue(Interval) is >= 0.1 and <= 86400 and var seconds
        ? TimeSpan.FromSeconds(seconds) : throw new UsageException("--interval takes 0.1 to 86400 seconds");
}
