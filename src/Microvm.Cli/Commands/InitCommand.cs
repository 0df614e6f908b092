using System.CommandLine;
using System.Text;
using Microvm.Cli.Explain;
using Microvm.Cli.Guests;
using Microvm.Declaration;
using Microvm.Hypervisors;
using Microvm.Linux;

namespace Microvm.Cli.Commands;

internal static class InitCommand
{
    private const string NoNetwork = "none";

    private static readonly Option<string?> s_name = new("--name") { Description = "The VM's name", HelpName = "VM-NAME" };
    private static readonly Option<string?> s_hypervisor = Choice("--hypervisor", "The hypervisor", DeclarationReader.Hypervisors);
    private static readonly Option<string?> s_type = Choice("--type", "The interface's type", Words.Types);
    private static readonly Option<string?> s_id = new("--id") { Description = "The interface's name on the host (default: vm- and the VM's name)", HelpName = "ID" };
    private static readonly Option<string?> s_bridge = new("--bridge") { Description = "The bridge, for types bridge and tap", HelpName = "LINK" };
    private static readonly Option<string?> s_network = Choice("--network", "For type tap without a bridge: the network that it joins", [DeclaredNetwork.Default, NoNetwork]);
    private static readonly Option<string?> s_link = new("--link") { Description = "The lower device, for type macvtap", HelpName = "LINK" };
    private static readonly Option<string?> s_output = new("--output", "-o") { Description = "Write to this file, which must not exist yet (-: standard output); a name that ends in .json means JSON", HelpName = "FILE" };

    private static readonly Argument<string?> s_vm = new("VM-NAME") { Description = "The VM's name, as --name", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string?> s_guest = Choice("--guest", "Make a root disk, kernel and initial RAM disk too", ["debian"]);
    private static readonly Option<string?> s_release = new("--release") { Description = "Debian's release (default: this host's, where it is a Debian; else stable)", HelpName = "NAME" };
    private static readonly Option<string?> s_mirror = new("--mirror") { Description = "Where Debian's packages come from (default: Debian's own mirrors)", HelpName = "URL" };
    private static readonly Option<string?> s_key = new("--ssh-key") { Description = "The public key that may log in as root (default: yours in ~/.ssh; without one a pair is made)", HelpName = "FILE" };
    private static readonly Option<int> s_port = new("--ssh-port") { Description = "The port of 127.0.0.1 that leads to the guest's ssh, for type user", HelpName = "PORT", DefaultValueFactory = _ => 2222 };
    private static readonly Option<int> s_size = new("--size") { Description = "How large the disk is, in GiB; its file is sparse and takes what is used", HelpName = "GIB", DefaultValueFactory = _ => 8 };

    internal static Command Create() => Verb.Define(new DocumentedCommand("init", "Write a first declaration with comments, after asking up to four questions",
        ["microvm init", "microvm init --guest debian web", "microvm init --name web --type tap --bridge br0 -o web.nix", "microvm init --name web --type user --hypervisor qemu -o -", "microvm init --name web --type macvtap --link eth0 -o web.json"])
    {
        Details = ["On a terminal it asks for whatever no option sets: name, hypervisor, type, and network or lower device. Without a terminal it uses defaults: the name vm, qemu, type tap, network default. The MAC address is derived from the name, as by 'microvm mac'.",
        "--guest debian makes VM-NAME.img (a root disk), VM-NAME.vmlinuz and VM-NAME.initrd beside the declaration, with mmdebstrap in a user namespace, so without root. It asks nothing: the type is user unless an option sets another, and root logs in over ssh with your key. The guest uses DHCP, its file system grows to the size of the disk, and its serial console is logged in as root."]
    },
        Run, s_vm, s_guest, s_release, s_mirror, s_key, s_port, s_size, s_name, s_hypervisor, s_type, s_id, s_network, s_bridge, s_link, s_output);

    private static Option<string?> Choice(string name, string description, IReadOnlyList<string> choices)
    {
        var option = new Option<string?>(name) { Description = $"{description}: {string.Join(", ", choices)}", HelpName = name.TrimStart('-').ToUpperInvariant() };
        option.AcceptOnlyFromAmong([.. choices]);
        return option;
    }

    private static int Run(ParseResult result)
    {
        var makesGuest = result.GetValue(s_guest) is not null;
        var asks = !makesGuest && TerminalDevice.IsTerminal(TerminalDevice.Input) && TerminalDevice.IsTerminal(TerminalDevice.Errors);
        if (result.GetValue(s_vm) is not null && result.GetValue(s_name) is not null)
        {
            throw new UsageException("the VM's name is given twice: as VM-NAME and by --name");
        }
        if (!makesGuest && ((Option[])[s_release, s_mirror, s_key, s_port, s_size]).FirstOrDefault(o => result.GetResult(o) is { Implicit: false }) is { } alone)
        {
            throw new UsageException($"{alone.Name} is about the disk that --guest makes: add --guest debian");
        }
        var name = result.GetValue(s_vm) ?? result.GetValue(s_name) ?? Ask(asks, "Name of the VM", "vm", null);
        var hypervisor = result.GetValue(s_hypervisor) ?? Ask(asks, "Hypervisor", "qemu", DeclarationReader.Hypervisors);
        var given = result.GetValue(s_bridge) is not null ? "tap" : result.GetValue(s_link) is not null ? "macvtap" : null;
        var type = result.GetValue(s_type) ?? given ?? Ask(asks, "Type of its interface", makesGuest ? "user" : "tap", Words.Types);
        if (result.GetValue(s_network) is not null && (type != "tap" || result.GetValue(s_bridge) is not null))
        {
            throw new UsageException("--network goes with type tap, and not with --bridge");
        }
        if (type == "user" && result.GetValue(s_bridge) is not null || type == "macvtap" && result.GetValue(s_bridge) is not null || type != "macvtap" && result.GetValue(s_link) is not null)
        {
            throw new UsageException($"type {type} takes {(type == "macvtap" ? "--link, not --bridge" : type == "user" ? "neither --bridge nor --link" : "--bridge, not --link")}");
        }
        var on = type switch
        {
            "macvtap" => result.GetValue(s_link) ?? Ask(asks, "Card of the host whose network the guest joins", "eth0", null),
            "bridge" => result.GetValue(s_bridge) ?? Ask(asks, "Bridge of the host", "br0", null),
            "tap" => result.GetValue(s_bridge) ?? (result.GetValue(s_network) is { } joined ? joined
                : Ask(asks, $"Network: '{DeclaredNetwork.Default}', which microvm makes and which needs nothing else; a bridge of the host; or '{NoNetwork}'", DeclaredNetwork.Default, null)),
            _ => null,
        };
        var network = type == "tap" && result.GetValue(s_bridge) is null && on == DeclaredNetwork.Default ? on : null;
        if (network is not null || type == "tap" && result.GetValue(s_bridge) is null && on == NoNetwork)
        {
            on = null;
        }
        // Without nix on the host a .nix file would be of no use yet.
        var output = result.GetValue(s_output) ?? (makesGuest ? SearchPath.Find("nix-instantiate") is null ? $"{name}.json" : $"{name}.nix" : asks ? $"{name}.nix" : "-");
        var files = makesGuest ? new GuestFiles(name, output) : null;
        var start = new StartingDeclaration(name, hypervisor, type, result.GetValue(s_id) ?? Id(name), on, files?.Starting(result.GetValue(s_port)), network);
        // What is wrong with the answers, the rules themselves say.
        var diagnostics = new DiagnosticBag();
        if (JsonFrontDoor.Read("answers", Encoding.UTF8.GetBytes(start.ToJson()), diagnostics) is { } node)
        {
            if (new DeclarationReader(diagnostics).Read(node) is { } vm)
            {
                HypervisorTable.Check(vm, diagnostics);
            }
        }
        if (diagnostics.HasErrors)
        {
            throw new UsageException(string.Join("; ", diagnostics.All.Where(d => d.Severity == Severity.Error).Select(d => d.Message)));
        }
        var text = output.EndsWith(".json", StringComparison.Ordinal) ? start.ToJson() : start.ToNix();
        if (output == "-")
        {
            Console.Out.Write(text);
            return 0;
        }
        if (Path.Exists(output))
        {
            throw new IOException($"{output} already exists, and init never overwrites a file: choose another file with -o");
        }
        var file = Shell.Quote(output);
        if (files is not null)
        {
            var key = files.Make(result.GetValue(s_release) ?? DebianDisk.UsualRelease(), result.GetValue(s_mirror), result.GetValue(s_key), result.GetValue(s_size));
            AtomicFile.Write(output, text, replace: false);
            Console.WriteLine($"wrote {output}, {string.Join(", ", files.Names)}; next:");
            Console.WriteLine(type == "user" ? $"  microvm run {file}" : $"  sudo microvm up {file}\n  microvm run {file}");
            Console.WriteLine($"and once it has booted, in another terminal:\n  ssh {(key is null ? "" : $"-i {Shell.Quote(key)} ")}{(type == "user" ? $"-p {result.GetValue(s_port)} root@127.0.0.1" : network is not null ? $"root@$(microvm ip {Shell.Quote(name)} | head -n 1)" : "root@ADDRESS   (the guest asks for one by DHCP, and its console tells which it got: ip addr)")}");
            return 0;
        }
        using (NamedFile.AsPerson())
        {
            AtomicFile.Write(output, text, replace: false);
        }
        Console.WriteLine($"wrote {output}; next:\n  microvm explain {file}\n  microvm doctor {file}\n  sudo microvm up {file}");
        return 0;
    }

    // VM names may be longer than the 15 bytes of an interface's name.
    private static string Id(string name) => Fit(name.StartsWith("vm", StringComparison.Ordinal) ? name : $"vm-{name}");

    /// <summary>What is too long ends in a hash of the whole instead, so that names that begin alike have ids that differ.</summary>
    private static string Fit(string text)
    {
        const int HashBytes = 3;
        return text.Length <= InterfaceName.MaxBytes ? text
            : $"{text[..(InterfaceName.MaxBytes - 1 - 2 * HashBytes)]}-{Convert.ToHexStringLower(Sha256.HashData(Encoding.UTF8.GetBytes(text)).AsSpan(0, HashBytes))}";
    }

    private static string Ask(bool asks, string question, string usual, IReadOnlyList<string>? choices)
    {
        while (asks)
        {
            Console.Error.Write($"{question}{(choices is null ? "" : $" ({string.Join(", ", choices)})")}{(usual.Length > 0 ? $" [{usual}]" : "")}: ");
            if (Console.In.ReadLine() is not { } line)
            {
                throw new UsageException("the questions were not answered; nothing was written");
            }
            var answer = line.Trim() is { Length: > 0 } text ? text : usual;
            if (choices is null || choices.Contains(answer))
            {
                return answer;
            }
            Console.Error.WriteLine($"'{Printable.Of(answer)}' is none of them{(Printable.Nearest(answer, choices) is { } near ? $"; did you mean '{near}'?" : "")}");
        }
        return usual;
    }
}
