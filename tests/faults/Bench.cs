namespace Microvm.Faults;

/// <summary>The sandbox's host: laid out for a scenario, and put back after each trial.</summary>
internal sealed class Bench(string binary, string folder)
{
    private readonly Dictionary<string, string> _base = [];
    internal string Binary => binary;
    internal string Folder => folder;

    internal Shell.Outcome Microvm(params IEnumerable<string> arguments) => Shell.Run(binary, arguments);

    /// <summary>The host with nothing of ours.</summary>
    internal string Base(Scenario scenario) => _base[scenario.Name];

    /// <summary>Lays the host out anew and prepares it; its state before the command.</summary>
    internal string Prepare(Scenario scenario)
    {
        Wipe();
        foreach (var link in scenario.Links)
        {
            Shell.Must("ip", ["link", .. link.Split(' ')]);
        }
        _base[scenario.Name] = HostState.Read();
        PrepareOurs(scenario);
        return HostState.Read();
    }

    /// <summary>Brings the host back to what it was before the command: by the tool itself, else anew.</summary>
    internal void Reset(Scenario scenario, string before)
    {
        if (HostState.Read() == before)
        {
            return;
        }
        Microvm("down", scenario.Declaration);
        if (HostState.Read() == Base(scenario))
        {
            PrepareOurs(scenario);
            if (HostState.Read() == before)
            {
                return;
            }
        }
        // Foreign links made anew have new indexes: the same host all the same.
        Prepare(scenario);
    }

    private void PrepareOurs(Scenario scenario)
    {
        foreach (var command in scenario.Prepare)
        {
            var outcome = Microvm(command);
            if (outcome.Code != 0)
            {
                throw new InvalidOperationException($"{scenario.Name}: microvm {string.Join(' ', command)}: {outcome.Err}");
            }
        }
    }

    /// <summary>Deletes every link but the loopback, and all files in /run.</summary>
    private static void Wipe()
    {
        while (Names().FirstOrDefault(n => n != "lo") is { } name)
        {
            Shell.Must("ip", "link", "del", name);
        }
        Shell.Must("find", "/run", "-mindepth", "1", "-delete");
    }

    private static IEnumerable<string> Names() => System.Text.Json.Nodes.JsonNode.Parse(Shell.Must("ip", "-j", "link"))!.AsArray().Select(l => l!["ifname"]!.GetValue<string>());
}
