using System.Text;
using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network;

// A namespace to work in, by its name in /run/netns; this thread moves there. Without one: where this process is.
if (args is [var name])
{
    NetworkNamespace.Enter(name);
}

// Read a declaration.
var text = """
    { "networking": { "hostName": "web" },
      "microvm": { "vcpu": 2, "interfaces": [ { "type": "tap", "id": "vm-a1", "mac": "02:00:00:00:00:01" } ] } }
    """;
var diagnostics = new DiagnosticBag();
var node = JsonFrontDoor.Read("web.json", Encoding.UTF8.GetBytes(text), diagnostics);
var vm = node is null ? null : new DeclarationReader(diagnostics).Read(node);
foreach (var diagnostic in diagnostics.All)
{
    Console.Error.WriteLine(diagnostic); // web.json:2:5: error: …
}
if (vm is null)
{
    return 2;
}

// Make its links.
var wanted = vm.Interfaces.Select(i => new Attachment(vm.Name, i, AttachmentKind.TapByName, QueuePairs: vm.Vcpu));
var links = DesiredLink.Of(wanted, owner: 1000, group: null).ToList();
using var network = new HostNetwork();
var plan = network.Up(links); // all or nothing, verified
foreach (var step in plan.Steps)
{
    Console.WriteLine($"{step.Kind} {step.Name}: {step.Reason}");
}
foreach (var refusal in plan.Refusals)
{
    Console.Error.WriteLine(refusal); // somebody else has a link of that name, say; nothing was changed
}

// Look at them.
using var route = new RouteSocket();
foreach (var link in route.Links().Where(l => l.Tun is not null))
{
    Console.WriteLine($"{link.Name} is {(link.Up ? "up" : "down")}, for user {link.Tun!.Owner}, with {(link.Tun.MultiQueue ? "many queues" : "one queue")}");
}

// Take them down.
network.Down([vm.Name]);
Console.WriteLine($"{route.Links().Count(l => l.Tun is not null)} taps left");
return 0;
