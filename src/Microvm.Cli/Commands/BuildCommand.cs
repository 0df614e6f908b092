using System.CommandLine;
using Microvm.Declaration;
using Microvm.Host;
using Microvm.Hypervisors;
using Microvm.Linux;

namespace Microvm.Cli.Commands;

internal static class BuildCommand
{
    private static readonly Argument<string> s_file = new("FILE") { Description = "The VM's declaration" };
    private static readonly Option<string> s_out = new("--output", "-o") { Description = "The directory to create; an earlier runner there is replaced", HelpName = "DIR", DefaultValueFactory = _ => "result" };
    private static readonly Option<string?> s_binary = new("--binary") { Description = "The microvm binary that its scripts call (default: this one)", HelpName = "PATH" };
    private static readonly Option<string?> s_user = new("--user") { Description = "Who may open the interfaces (default: the user who runs the script with sudo, or else the user microvm)", HelpName = "USER" };

    internal static Command Create() => Verb.Define("build", "Write a VM's runner: a directory with bin/microvm-run, tap-up, tap-down and so on, like those that microvm.nix builds",
        ["microvm build vm.nix -o result && sudo result/bin/tap-up && result/bin/microvm-run"], Run, s_file, s_out, s_binary, s_user);

    private static int Run(ParseResult result)
    {
        var diagnostics = new DiagnosticBag();
        var node = Declarations.Open(result.GetValue(s_file)!, diagnostics);
        var fleet = node is not null && FleetReader.IsFleet(node);
        var vm = node is null || fleet ? null : new DeclarationReader(diagnostics).Read(node);
        if (fleet)
        {
            diagnostics.Error(node!.At, "this declares a host's VMs, and a runner is one VM's; bring them up with: microvm fleet up");
        }
        if (vm is not null)
        {
            FleetRules.Check([vm], diagnostics);
            HypervisorTable.Check(vm, diagnostics);
        }
        DiagnosticOutput.Print(diagnostics.All, Terminal.Errors, Console.Error);
        if (vm is null || diagnostics.HasErrors || HostSession.Attach([vm]) is null)
        {
            return 2;
        }
        foreach (var words in StoreBuild.Words(result.GetValue(s_file)!, vm))
        {
            Console.Error.WriteLine($"microvm: note: {words}");
        }
        if (HypervisorTable.Missing(vm, Nix.NixFrontDoor.IsFlake(result.GetValue(s_file)!)) is { } missing)
        {
            Console.Error.WriteLine($"microvm: '{vm.Name}': {missing}; until then the runner has no microvm-run");
        }
        var path = result.GetValue(s_out)!;
        var files = Runner.Files(vm, (ObjectNode)node!, result.GetValue(s_binary) is { } given ? Path.GetFullPath(given) : VmHost.Binary, result.GetValue(s_user));
        using (NamedFile.AsPerson())
        {
            RunnerDirectory.Publish(path, files);
        }
        Console.WriteLine(path);
        return 0;
    }
}
