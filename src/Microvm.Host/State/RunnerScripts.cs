using Microvm.Declaration;
using Microvm.Hypervisors;

namespace Microvm.Host;

/// <summary>The scripts in a runner's <c>bin/</c>: calls of our binary, with the declaration's own lines before and after. Pure.
/// Nothing of the declaration but those lines stands in a script: the rest is read from <c>share/microvm/declaration.json</c>.</summary>
internal static class RunnerScripts
{
    /// <summary>The declaration beside the script that runs, wherever the runner was moved or linked to.</summary>
    private const string Declaration = "\"$microvm_runner/share/microvm/declaration.json\"";

    internal static IEnumerable<(string Name, string Content)> Of(MicrovmConfig vm, string binary, string? user)
    {
        var own = Own(vm, Shell.Quote(binary), user is null ? "" : $" --user {Shell.Quote(user)}").ToDictionary(o => o.Name);
        foreach (var name in own.Keys.Union(vm.BinScripts.Select(s => s.Name)))
        {
            var theirs = vm.BinScripts.FirstOrDefault(s => s.Name == name);
            var ours = own.GetValueOrDefault(name);
            yield return (name, theirs is null ? $"#!/bin/sh\nset -eu\n{Here}exec {ours!.Call}\n"
                : ours is null || theirs.Replaces ? $"#!{Shell.Bash}\n{theirs.Around("")}"
                : $"#!{Shell.Bash}\n{Here}{ours.Head}{theirs.Around(ours.Body)}{ours.Tail}");
        }
    }

    private const string Here = "microvm_runner=$(readlink -f \"$0\")\nmicrovm_runner=${microvm_runner%/bin/*}\n";

    /// <param name="Call">The script where the declaration adds nothing.</param>
    /// <param name="Head">Goes before the declaration's first lines.</param>
    /// <param name="Body">Our part among the declaration's.</param>
    /// <param name="Tail">Goes after the declaration's last lines.</param>
    private sealed record Script(string Name, string Call, string Head, string Body, string Tail = "");

    private static IEnumerable<Script> Own(MicrovmConfig vm, string binary, string user)
    {
        var runs = HypervisorTable.Missing(vm) is null;
        if (runs)
        {
            // Lines after the hypervisor took this process's place are never reached, as in microvm.nix.
            yield return Exec("microvm-run", $"{binary} run {Declaration}");
        }
        if (vm.HasVirtiofsd)
        {
            yield return Exec("virtiofsd-run", $"{binary} virtiofsd {Declaration}");
        }
        // Where nobody can be asked, systemd's own SIGTERM ends the hypervisor without waiting.
        if (runs && (vm.Socket is not null || vm.Hypervisor == "kvmtool") && HypervisorTable.Find(vm.Hypervisor)?.Facts.Stop != StopWay.Signal)
        {
            var call = $"{binary} shutdown \"$@\" {Declaration}";
            yield return Exec("microvm-shutdown", call) with { Body = $"{call}\n" };
        }
        if (runs && vm.Socket is not null)
        {
            yield return Exec("microvm-balloon", $"{binary} balloon {Declaration} \"${{1:?how many MiB the guest should have}}\"");
        }
        foreach (var (type, has) in ((string, bool)[])[
            ("tap", vm.Interfaces.Any(i => i.Type is InterfaceType.Tap or InterfaceType.Bridge)),
            ("macvtap", vm.Interfaces.Any(i => i.Type == InterfaceType.Macvtap))])
        {
            if (has)
            {
                yield return Up(type, binary, user);
                yield return Down(type, binary);
            }
        }
    }

    private static Script Exec(string name, string call) => new(name, call, "set -euo pipefail\n", $"exec {call}\n");

    /// <summary>A line that fails ends the script, and the links that it had made are deleted again; links that were there before stay.
    /// The declaration's lines run in a shell of their own: no trap, variable or exit of theirs keeps the undo from running.</summary>
    private static Script Up(string type, string binary, string user)
    {
        var head = $$"""
            microvm_made=
            microvm_end() {
                microvm_code=$?
                trap - EXIT
                if [ "$microvm_code" -ne 0 ] && [ -n "$microvm_made" ]; then
                    {{binary}} down --only {{type}} --link "$microvm_made" {{Declaration}} >&2 || true
                fi
                exit "$microvm_code"
            }
            trap microvm_end EXIT
            trap 'exit 129' HUP
            trap 'exit 130' INT
            trap 'exit 143' TERM
            microvm_lines() (
            exec 18>&1 1>&19
            set -euo pipefail
            {
            :

            """;
        // What was made goes to the outer shell over descriptor 18, which no line of the declaration has: one that stays in the background would keep it waiting.
        var body = $"}} 18>&- 19>&-\n{binary} up{user} --only {type} --made {Declaration} >&18\nexec 18>&- 19>&-\n";
        return new($"{type}-up", $"{binary} up{user} --only {type} {Declaration}", head, body, ")\nexec 19>&1\nmicrovm_made=$(microvm_lines \"$@\")\n");
    }

    /// <summary>A line that fails, or ends the shell of the declaration's lines early, does not keep the interfaces from going.</summary>
    private static Script Down(string type, string binary)
    {
        var call = $"{binary} down --only {type} {Declaration}";
        return new($"{type}-down", call, "(\nset -uo pipefail\nmicrovm_code=0\n", $"{call} || microvm_code=$?\n",
            $"exit \"$microvm_code\"\n)\nmicrovm_code=$?\n{call} >/dev/null || microvm_code=$?\nexit \"$microvm_code\"\n");
    }
}
