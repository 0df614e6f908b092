using System.Text.Json;
using CsCheck;

namespace Microvm.Tests.Network;

/// <summary>Random histories of a host: declarations going up and down, links of others coming and going, drift, commands killed half-way.
/// After each step the kernel has to show what a model of a few lines expects.</summary>
public sealed class ModelTests
{
    /// <summary>One step. The numbers choose among what is there; see <see cref="Host.Do"/>.</summary>
    private sealed record Op(Kind Kind, int First, int Second, int Third);

    private enum Kind { Up, UpBoth, Down, DownAll, AddForeign, DeleteForeign, DeleteOurs, DownOurs, RenameOurs, Bridge, KilledUp, KilledDown }

    private static readonly Gen<Op> s_op = Gen.Select(Gen.Int[0, Enum.GetValues<Kind>().Length - 1], Gen.Int[0, 3], Gen.Int[0, 7], Gen.Int[1, 14], (k, a, b, c) => new Op((Kind)k, a, b, c));

    [Fact]
    public void Whatever_happens_the_kernel_shows_what_the_model_expects()
    {
        var count = Mutation.Count(600, 6);
        var steps = 0;
        s_op.List[1, 20].Sample(ops =>
        {
            using var host = new Host();
            foreach (var op in ops)
            {
                host.Do(op);
                host.Check(op);
                Interlocked.Increment(ref steps);
            }
        }, iter: count, threads: 2, print: ops => string.Join('\n', ops));
        Directory.CreateDirectory(Path.Combine(Binary.Root, "out"));
        File.WriteAllText(Path.Combine(Binary.Root, "out", "model.txt"), $"{count} histories, {steps} steps, every one as the model says\n");
    }

    /// <summary>A link of ours as the model has it.</summary>
    private sealed record Ours(string Name, bool Multi, string? Bridge, bool Up);

    private sealed class Host : IDisposable
    {
        private static readonly string[] s_vms = ["a", "b"];
        private static readonly string[] s_names = ["a1", "b1", "x1", "x2"];
        private readonly Folder _folder = new();
        private readonly Namespace _ns = new();

        /// <summary>By alias.</summary>
        private readonly Dictionary<string, Ours> _ours = [];

        /// <summary>By name: the index that it has to keep.</summary>
        private readonly Dictionary<string, int> _foreign = [];
        private bool _bridge;

        public void Dispose()
        {
            _ns.Dispose();
            _folder.Dispose();
        }

        internal void Do(Op op)
        {
            var vm = s_vms[op.First % 2];
            switch (op.Kind)
            {
                case Kind.Up:
                    Up((vm, op.Second));
                    break;
                case Kind.UpBoth:
                    Up(("a", op.Second), ("b", op.Third));
                    break;
                case Kind.Down:
                    Down(vm);
                    break;
                case Kind.DownAll:
                    Down("a", "b");
                    break;
                case Kind.AddForeign when !Taken(s_names[op.First]):
                    string[] how = op.Second % 2 == 0 ? ["tuntap", "add", s_names[op.First], "mode", "tap"] : ["link", "add", s_names[op.First], "type", "bridge"];
                    _ns.Ip(how);
                    _foreign[s_names[op.First]] = Index(s_names[op.First]);
                    break;
                case Kind.DeleteForeign when _foreign.Remove(s_names[op.First]):
                    _ns.Ip("link", "del", s_names[op.First]);
                    break;
                case Kind.DeleteOurs when Some(op.First) is { } alias:
                    _ns.Ip("link", "del", _ours[alias].Name);
                    _ours.Remove(alias);
                    break;
                case Kind.DownOurs when Some(op.First) is { } alias:
                    _ns.Ip("link", "set", _ours[alias].Name, "down");
                    _ours[alias] = _ours[alias] with { Up = false };
                    break;
                case Kind.RenameOurs when Some(op.First) is { } alias && !Taken(s_names[op.Second % 4]):
                    _ns.Ip("link", "set", _ours[alias].Name, "name", s_names[op.Second % 4]);
                    _ours[alias] = _ours[alias] with { Name = s_names[op.Second % 4] };
                    break;
                case Kind.Bridge:
                    string[] change = _bridge ? ["link", "del", "br0"] : ["link", "add", "br0", "type", "bridge"];
                    _ns.Ip(change);
                    _bridge = !_bridge;
                    foreach (var (alias, link) in _ours.ToList())
                    {
                        _ours[alias] = link with { Bridge = null };
                    }
                    break;
                case Kind.KilledUp:
                    Killed(["up", Declare(vm, op.Second)], op.Third);
                    // What is there now the model can't know; whichever way it goes on, it has to converge.
                    if (op.First < 2) { Up((vm, op.Second)); } else { Down(vm); }
                    break;
                case Kind.KilledDown:
                    Killed(["down", Declare(vm, op.Second)], op.Third);
                    if (op.First < 2) { Up((vm, op.Second)); } else { Down(vm); }
                    break;
            }
        }

        /// <summary>The whole host against the model: every link, ours and theirs, and no other.</summary>
        internal void Check(Op op)
        {
            var expected = _ours.Select(o => $"{o.Key} {o.Value.Name} multi={o.Value.Multi} bridge={o.Value.Bridge ?? "-"} up={o.Value.Up}")
                .Concat(_foreign.Select(f => $"foreign {f.Key} {f.Value}")).Append("lo").Concat(_bridge ? ["br0"] : []).Order(StringComparer.Ordinal);
            var found = Links().Select(l => Alias(l) is { } alias
                    ? $"{alias} {Name(l)} multi={l.GetProperty("linkinfo").GetProperty("info_data").GetProperty("multi_queue").GetBoolean()} bridge={(l.TryGetProperty("master", out var m) ? m.GetString() : "-")} up={l.GetProperty("flags").EnumerateArray().Any(f => f.GetString() == "UP")}"
                    : Name(l) is "lo" or "br0" ? Name(l) : $"foreign {Name(l)} {l.GetProperty("ifindex").GetInt32()}")
                .Order(StringComparer.Ordinal);
            Assert.True(expected.SequenceEqual(found), $"after {op}\nexpected:\n  {string.Join("\n  ", expected)}\nfound:\n  {string.Join("\n  ", found)}");
        }

        private string Declare(string vm, int variant)
        {
            var bridge = (variant & 2) != 0 ? ",\"bridge\":\"br0\"" : "";
            var second = $$""",{"type":"tap","id":"{{vm}}2","mac":"02:00:00:00:{{vm}}0:02"}""";
            return _folder.File($"{vm}.json", $$"""{"networking":{"hostName":"{{vm}}"},"microvm":{"vcpu":{{1 + (variant & 1)}},"interfaces":[{"type":"tap","id":"{{vm}}1","mac":"02:00:00:00:{{vm}}0:01"{{bridge}}}{{second}}] } }""");
        }

        private void Up(params (string Vm, int Variant)[] wanted)
        {
            // Where the declaration names no bridge, a link stays on the one that it is on; where that is after a kill, the model can't know.
            string? On(string alias) => !_killed ? _ours.GetValueOrDefault(alias)?.Bridge
                : Links().FirstOrDefault(l => Alias(l) == alias) is { ValueKind: not JsonValueKind.Undefined } link && link.TryGetProperty("master", out var m) ? m.GetString() : null;
            var links = wanted.SelectMany(w => new[] { 1, 2 }.Select(n => (Alias: $"microvm:{w.Vm}/{w.Vm}{n}", Named: n == 1 && (w.Variant & 2) != 0, Vm: w.Vm, Link: new Ours($"{w.Vm}{n}", (w.Variant & 1) != 0, null, true))))
                .Select(l => (l.Alias, l.Named, Link: l.Link with { Bridge = l.Named ? "br0" : On(l.Alias) })).ToList();
            // A name that another of the declared has goes to its owner, and the other gets its own back.
            var refused = links.Any(l => _foreign.ContainsKey(l.Link.Name) || _ours.Any(o => o.Key != l.Alias && o.Value.Name == l.Link.Name && !links.Exists(w => w.Alias == o.Key)) || l.Named && !_bridge);
            var outcome = Binary.Microvm(["up", "--netns", _ns.Name, .. wanted.Select(w => Declare(w.Vm, w.Variant))]);
            Assert.True(outcome.Code == (refused ? 1 : 0), $"exit code {outcome.Code}, expected {(refused ? 1 : 0)}: {outcome.Err}{outcome.Out}");
            if (refused)
            {
                // A command killed before may have left less or more than the model had: a refused up changes nothing, so take it as it is.
                Adopt();
                return;
            }
            _killed = false;
            links.ForEach(l => _ours[l.Alias] = l.Link);
        }

        private void Down(params string[] vms)
        {
            var outcome = Binary.Microvm(["down", "--netns", _ns.Name, .. vms.Select(v => Declare(v, 0))]);
            Assert.True(outcome.Code == 0, outcome.Err);
            _killed = false;
            foreach (var alias in _ours.Keys.Where(a => vms.Any(v => a.StartsWith($"microvm:{v}/", StringComparison.Ordinal))).ToList())
            {
                _ours.Remove(alias);
            }
        }

        private bool _killed;

        private void Killed(string[] command, int nth)
        {
            Binary.Run("strace", null, ["-o", "/dev/null", "-e", $"inject=sendto,sendmsg,ioctl,close:signal=KILL:when={nth}", Binary.Path, command[0], "--netns", _ns.Name, command[1]]);
            _killed = true;
        }

        /// <summary>After a kill and a refused up: what the kernel shows is what there is, as long as all of it is marked as ours or known as foreign.</summary>
        private void Adopt()
        {
            if (!_killed)
            {
                return;
            }
            _ours.Clear();
            foreach (var link in Links().Where(l => Alias(l) is not null))
            {
                _ours[Alias(link)!] = new(Name(link), link.GetProperty("linkinfo").GetProperty("info_data").GetProperty("multi_queue").GetBoolean(),
                    link.TryGetProperty("master", out var m) ? m.GetString() : null, link.GetProperty("flags").EnumerateArray().Any(f => f.GetString() == "UP"));
            }
            _killed = false;
        }

        private string? Some(int n) => _ours.Count == 0 ? null : _ours.Keys.Order(StringComparer.Ordinal).ElementAt(n % _ours.Count);
        private bool Taken(string name) => _foreign.ContainsKey(name) || _ours.Values.Any(o => o.Name == name);
        private int Index(string name) => Links().Single(l => Name(l) == name).GetProperty("ifindex").GetInt32();
        private IEnumerable<JsonElement> Links() => JsonDocument.Parse(_ns.Ip("-d", "-j", "link")).RootElement.EnumerateArray();
        private static string Name(JsonElement link) => link.GetProperty("ifname").GetString()!;
        private static string? Alias(JsonElement link) => link.TryGetProperty("ifalias", out var a) && a.GetString()!.StartsWith("microvm:", StringComparison.Ordinal) ? a.GetString() : null;
    }
}
