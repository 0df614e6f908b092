using System.Text;

namespace Microvm.Declaration;

/// <summary>Turns nodes into a typed declaration by the rules of the specification; every finding goes into the bag.</summary>
public sealed class DeclarationReader(DiagnosticBag diagnostics)
{
    /// <summary>The hypervisors whose declarations are known.</summary>
    public static IReadOnlyList<string> Hypervisors => MicrovmOptions.Hypervisors;

    /// <summary>What the VM's host declares for all of its VMs to join.</summary>
    internal IReadOnlyList<DeclaredNetwork> HostNetworks { get; init; } = [];

    /// <summary>The declaration, or null where a rule was broken.</summary>
    public MicrovmConfig? Read(Node root)
    {
        var before = diagnostics.ErrorCount;
        if (root is not ObjectNode top)
        {
            diagnostics.Error(root.At, $"a declaration is an attribute set with 'microvm'; this is {root.Kind}");
            return null;
        }
        if (top["microvm"] is not { } found)
        {
            diagnostics.Error(top.At, "there is no 'microvm' in this declaration; start with microvm.interfaces = [ … ]");
            return null;
        }
        if (found is not ObjectNode microvm)
        {
            diagnostics.Error(found.At, $"'microvm' must be an attribute set; this is {found.Kind}");
            return null;
        }
        var name = HostName(top);
        new StructureCheck(diagnostics).Check(microvm, MicrovmOptions.Microvm);
        var vm = Build(microvm, name);
        return diagnostics.ErrorCount > before ? null : vm;
    }

    private MicrovmConfig Build(ObjectNode microvm, string name)
    {
        var devices = new DeviceReader(diagnostics, name);
        var vm = new MicrovmConfig
        {
            Name = name,
            At = microvm.At,
            Hypervisor = microvm.Text("hypervisor") ?? "qemu",
            Vcpu = microvm.Number("vcpu") ?? 1,
            MemoryMiB = microvm.Number("mem") ?? 512,
            HugepageMemory = microvm.Flag("hugepageMem", false),
            HotplugMemoryMiB = microvm.Number("hotplugMem") ?? 0,
            HotpluggedMemoryMiB = microvm.Number("hotpluggedMem") ?? microvm.Number("hotplugMem") ?? 0,
            Balloon = microvm.Flag("balloon", false),
            InitialBalloonMiB = microvm.Number("initialBalloonMem") ?? 0,
            DeflateOnOutOfMemory = microvm.Flag("deflateOnOOM", true),
            Cpu = microvm.Text("cpu"),
            Kernel = microvm.Package("kernel"),
            KernelDev = microvm["kernel"] is ObjectNode kernel ? kernel.Package("dev") : null,
            InitrdPath = microvm.Text("initrdPath"),
            KernelParams = string.Join(' ', microvm.Texts("kernelParams")),
            Interfaces = microvm.Each("interfaces", new InterfaceReader(diagnostics).Read),
            Networks = [.. new NetworkReader(diagnostics).Read(microvm), .. HostNetworks],
            ForwardPorts = [.. microvm.Items("forwardPorts").OfType<ObjectNode>().SelectMany(new ForwardPortReader(diagnostics).Read)],
            ReachAssertions = [.. microvm.Set("assertions").Items("reach").OfType<StringNode>().Select(n => ReachAssertion.Read(n.Value, n.At, diagnostics)).OfType<ReachAssertion>()],
            Volumes = microvm.Each("volumes", devices.Volume),
            Shares = microvm.Each("shares", devices.Share),
            Devices = microvm.Each("devices", devices.Device),
            VsockCid = microvm.Set("vsock")?["cid"] is NumberNode { Integer: > 0 and <= uint.MaxValue and var cid } ? (uint)cid : null,
            CredentialFiles = HypervisorReader.Pairs(microvm.Set("credentialFiles")) ?? [],
            // Null turns it off; left out, it is named after the VM.
            Socket = microvm.Members.Any(m => m.Name == "socket") ? microvm.Text("socket") : $"{name}.sock",
            User = microvm.Text("user"),
            PreStart = microvm.Text("preStart") ?? "",
            ExtraArgsScript = microvm.Text("extraArgsScript"),
            BinScripts = BinScript.ReadAll(microvm["binScripts"], diagnostics),
            PrettyProcessName = microvm.Flag("prettyProcnames", true),
            MachineId = microvm.Members.Any(m => m.Name == "machineId") ? microvm.Text("machineId") : MachineId(name),
            RegistersWithMachined = microvm.Flag("registerWithMachined", false),
            HasVsockSsh = microvm.Set("vsock").Set("ssh")?.Flag("enable", false) ?? false,
            StoreDisk = microvm.Flag("storeOnDisk", true) ? microvm.Text("storeDisk") : null,
            Positions = [.. Positions(microvm)],
        };
        vm = HypervisorReader.Read(microvm, vm);
        if (vm.Interfaces.Any(i => i.Network is not null) && vm.Interfaces.All(i => i.Type != InterfaceType.User))
        {
            vm = vm with { ForwardPorts = [], NetworkForwards = vm.ForwardPorts };
        }
        vm = new GuestSideReader(diagnostics).Tell(vm);
        new VmRules(diagnostics).Check(vm, microvm);
        return vm;
    }

    private string HostName(ObjectNode top)
    {
        if (top["networking"] is { } n and not ObjectNode)
        {
            diagnostics.Error(n.At, $"'networking' must be an attribute set; this is {n.Kind}");
        }
        if (top.Set("networking")?["hostName"] is not { } node)
        {
            return "nixos";
        }
        if (node is not StringNode { Value: var name })
        {
            diagnostics.Error(node.At, $"'hostName' must be a string; this is {node.Kind}");
            return "nixos";
        }
        if (name.Length is 0 or > 63 || name.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_')) || name[0] == '-')
        {
            diagnostics.Error(node.At, $"'{Printable.Of(name)}' is not a host name: use 1 to 63 of a-z, 0-9, '-' and '_', no '-' in front");
        }
        return name;
    }

    /// <summary>The UUID that microvm.nix makes from a host name: the first digits of a SHA-256.</summary>
    private static string MachineId(string name)
    {
        var h = Convert.ToHexStringLower(Sha256.HashData(Encoding.UTF8.GetBytes($"microvm.nix:{name}")));
        return $"{h[..8]}-{h[8..12]}-{h[12..16]}-{h[16..20]}-{h[20..32]}";
    }

    private static Dictionary<string, SourcePosition> Positions(ObjectNode microvm)
    {
        var positions = new Dictionary<string, SourcePosition>();
        foreach (var member in microvm.Members)
        {
            positions[member.Name] = member.At;
            if (member.Value is ObjectNode set && MicrovmOptions.Microvm.Find(member.Name) is { Type: SetType, LeftAlone: false })
            {
                foreach (var inner in set.Members)
                {
                    positions[$"{member.Name}.{inner.Name}"] = inner.At;
                }
            }
        }
        return positions;
    }
}
