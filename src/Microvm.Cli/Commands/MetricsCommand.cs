using System.CommandLine;
using Microvm.Linux;
using Microvm.Observation;

namespace Microvm.Cli.Commands;

internal static class MetricsCommand
{
    private static readonly Option<string?> s_listen = new("--listen") { Description = "Serve /metrics on this address of this machine", HelpName = "ADDRESS:PORT" };
    private static readonly Option<bool> s_anywhere = new("--anywhere") { Description = "Let --listen use an address that other machines can reach" };
    private static readonly Option<string?> s_socket = new("--socket") { Description = "Serve /metrics on this Unix socket", HelpName = "PATH" };

    internal static Command Create() => Verb.Define("metrics", "Print Prometheus metrics of the interfaces, or serve them",
        ["microvm metrics", "sudo microvm metrics --listen 127.0.0.1:9477 vm.nix", "microvm metrics > /var/lib/prometheus/node-exporter/microvm.prom"], Run,
        CommonOptions.MaybeFiles, s_listen, s_anywhere, s_socket, VmHost.State, CommonOptions.Netns, CommonOptions.User, CommonOptions.Group);

    private static int Run(ParseResult result)
    {
        var (listen, path) = (result.GetValue(s_listen), result.GetValue(s_socket));
        if (listen is not null && path is not null)
        {
            throw new UsageException("--listen and --socket exclude each other");
        }
        using var survey = Survey.Open(result);
        if (survey is null)
        {
            return 2;
        }
        var version = typeof(MetricsCommand).Assembly.GetName().Version?.ToString(3) ?? "";
        string Page() => MetricsPage.Of(survey.Take(), version);
        if (listen is null && path is null)
        {
            Console.Write(Page());
            return 0;
        }
        using var interrupts = new Interrupts();
        using var socket = listen is not null ? MetricsServer.Tcp(listen, result.GetValue(s_anywhere)) : MetricsServer.Unix(path!);
        Console.Error.WriteLine($"microvm: metrics at {(listen is not null ? $"http://{socket.LocalEndPoint}/metrics" : path)}");
        var made = path is null ? null : FileStatus.Of(path);
        new MetricsServer(socket, Page, why => Console.Error.WriteLine($"microvm: {why}")).Run(interrupts);
        if (path is not null)
        {
            SocketFile.Remove(path, made);
        }
        return 0;
    }
}
