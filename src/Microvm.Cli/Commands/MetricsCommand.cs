using System.CommandLine;
using Microvm.Linux;
using Microvm.Observation;

namespace Microvm.Cli.Commands;

internal static class MetricsCommand
{
    private static readonly Option<string?> s_listen = new("--listen") { Description = "Serve /metrics on this address of this machine", HelpName = "ADDRESS:PORT" };
    private static readonly Option<bool> s_anywhere = new("--anywhere") { Description = "Let --listen use an address that other machines can reach" };
    private static readonly Option<string?> s_socket = new("--socket") { Description = "Serve /metrics on this Unix socket", HelpName = "PATH" };

    private static readonly Option<string?> s_output = new("--output", "-o") { Description = "Write the page whole into this file, which is replaced: for node_exporter's textfile collector", HelpName = "FILE" };

    /// <summary>Whether root shall write into a folder that may be a daemon's.</summary>
    internal static bool Writes(ParseResult result) => Has(result, s_output) || Has(result, s_socket);

    /// <summary>Whether what is written is written after the declaration was read, and so the caller still has to be one whom root can act as.</summary>
    internal static bool WritesLate(ParseResult result) => Has(result, s_output);

    private static bool Has(ParseResult result, Option<string?> option) => result.CommandResult.Command.Options.Contains(option) && result.GetValue(option) is not null;

    internal static Command Create() => Verb.Define("metrics", "Print Prometheus metrics of the interfaces, or serve them",
        ["microvm metrics", "sudo microvm metrics --listen 127.0.0.1:9477 vm.nix", "sudo microvm metrics -o microvm.prom"], Run,
        CommonOptions.MaybeFiles, s_listen, s_anywhere, s_socket, s_output, VmHost.State, CommonOptions.Netns, CommonOptions.User, CommonOptions.Group);

    private static int Run(ParseResult result)
    {
        var (listen, path, output) = (result.GetValue(s_listen), result.GetValue(s_socket), result.GetValue(s_output));
        if (((string?[])[listen, path, output]).Count(o => o is not null) > 1)
        {
            throw new UsageException("--listen, --socket and --output exclude each other");
        }
        // Before the declaration is read: from then on nothing can be done as the caller any more.
        using var place = path is null ? null : NamedSocket.Listen(path);
        using var survey = Survey.Open(result);
        if (survey is null)
        {
            return 2;
        }
        var version = typeof(MetricsCommand).Assembly.GetName().Version?.ToString(3) ?? "";
        string Page() => MetricsPage.Of(survey.Take(), survey.Leases, version);
        if (output is not null)
        {
            var page = Page();
            using var person = NamedFile.AsPerson();
            AtomicFile.Write(output, page);
            return 0;
        }
        if (listen is null && path is null)
        {
            Console.Write(Page());
            return 0;
        }
        using var interrupts = new Interrupts();
        using var tcp = listen is null ? null : MetricsServer.Tcp(listen, result.GetValue(s_anywhere));
        var socket = tcp ?? place!.Socket;
        Console.Error.WriteLine($"microvm: metrics at {(listen is not null ? $"http://{socket.LocalEndPoint}/metrics" : path)}");
        new MetricsServer(socket, Page, why => Console.Error.WriteLine($"microvm: {why}")).Run(interrupts);
        return 0;
    }
}
