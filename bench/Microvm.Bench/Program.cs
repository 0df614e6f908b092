using System.Globalization;
using Microvm.Bench;

// Runs inside a network and mount namespace of its own, which run.sh makes: bench MICROVM LIMIT FIRST RESULTS [--quick] [--looking]
if (args.Length < 4)
{
    Console.Error.WriteLine("usage: bench/run.sh [--quick]");
    return 2;
}
CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
var quick = args.Contains("--quick");
var folder = Directory.CreateTempSubdirectory("microvm-bench-").FullName;
try
{
    var tools = new Tools(args[0], args[1], args[2], folder);
    Directory.CreateDirectory(args[3]);
    var cpu = File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim();
    var machine = $"{cpu}, {Environment.ProcessorCount} cores, Linux {Environment.OSVersion.Version}";
    var looking = new List<Result>();
    foreach (var n in quick ? [100, 1000] : (int[])[1000, 4000, 10_000])
    {
        Looking.Measure(looking, tools, n);
    }
    var looks = string.Join('\n', Looking.Table(looking)) + "\n";
    Results.Write(Path.Combine(args[3], "looking.json"), machine, looking);
    File.WriteAllText(Path.Combine(args[3], "looking.md"), looks);
    Console.WriteLine(looks);
    if (args.Contains("--looking"))
    {
        return 0;
    }
    var results = new List<Result>();
    foreach (var n in quick ? [1, 10, 100, 500] : (int[])[1, 10, 100, 500, 1000, 4000])
    {
        Works.Links(results, tools, "tap", n, Contestant.Taps(tools, n));
    }
    Works.InARow(results, tools);
    foreach (var n in quick ? [1, 100] : (int[])[1, 100, 1000])
    {
        Works.Links(results, tools, "macvtap", n, Contestant.Macvtaps(tools, n));
    }
    Works.UpToDate(results, tools, quick ? 500 : 4000);
    Works.UntilFirstInstruction(results, tools);
    Works.Check(results, tools);
    Works.PeakMemory(results, tools, quick ? 500 : 4000);
    Works.KernelMemory(results, tools, quick ? 100 : 1000);
    Results.Write(Path.Combine(args[3], "results.json"), machine, results);
    File.WriteAllText(Path.Combine(args[3], "tap-up.svg"), Chart.Draw("Making multi-queue taps: time against number of links", "tap up", results));
    File.WriteAllText(Path.Combine(args[3], "tap-down.svg"), Chart.Draw("Deleting multi-queue taps: time against number of links", "tap down", results));
    var table = string.Join('\n', (string[])[.. Results.Table(results), "", .. Results.Others(results), "", .. Targets.Table(results)]) + "\n";
    File.WriteAllText(Path.Combine(args[3], "results.md"), table);
    Console.WriteLine(table);
    return 0;
}
finally
{
    Directory.Delete(folder, true);
}
