using System.CommandLine;
using Microvm.Host;

namespace Microvm.Cli.Commands;

internal static class CreateCommand
{
    private static readonly Option<string?> s_file = new("--file", "-f") { Description = "Its declaration: a .nix file, or JSON", HelpName = "FILE" };
    private static readonly Option<string?> s_flake = new("--flake") { Description = "The flake that contains it in nixosConfigurations", HelpName = "REF" };
    private static readonly Option<bool> s_autostart = new("--autostart") { Description = "Start it with the host" };

    private static readonly Option<bool> s_start = new("--start") { Description = "Start it now" };

    internal static Command Create() => Verb.Define("create", "Create a VM on this host, from a declaration or a flake",
        ["sudo microvm create web --file web.nix", "sudo microvm create web --flake git+https://example.org/infra --autostart --start"], Run,
        VmHost.Name, s_file, s_flake, s_autostart, s_start, Consent.Trust, VmHost.State);

    private static int Run(ParseResult result)
    {
        var name = VmName.Parse(result.GetValue(VmHost.Name)!);
        var (file, flake) = (result.GetValue(s_file), result.GetValue(s_flake));
        if (file is null == flake is null)
        {
            throw new UsageException("'create' takes either --file FILE or --flake REF");
        }
        if (file == "-")
        {
            throw new UsageException("'create' keeps the declaration's path for updates; write it to a file");
        }
        var state = VmHost.Directory(result);
        if (state.Of(name).Current is not null)
        {
            throw new UsageException($"there is a VM '{name}' already; change it with: microvm update {name}");
        }
        if (result.GetValue(s_start))
        {
            VmHost.MustHaveSystemd();
        }
        var changed = flake is not null ? VmHost.PublishFlake(result, state, name, flake) : VmHost.Publish(result, state, name, file!);
        if (changed is null)
        {
            return 2;
        }
        VmHost.Synchronise(state);
        VmHost.Tell(state.Of(name), true, true);
        var code = result.GetValue(s_autostart) ? VmHost.Autostart(name, true) : 0;
        return code == 0 && result.GetValue(s_start) ? VmHost.Power([state.Of(name)], "start") : code;
    }
}
