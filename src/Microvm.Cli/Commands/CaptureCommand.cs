using System.CommandLine;
using System.Diagnostics;
using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network;

namespace Microvm.Cli.Commands;

internal static class CaptureCommand
{
    private static readonly Argument<string> s_interface = new("VM/ID") { Description = "The interface: its VM and id, or its id alone" };
    private static readonly Option<string?> s_output = new("--output", "-o") { Description = "Write to this file (-: standard output, the default in a pipe)", HelpName = "FILE" };
    private static readonly Option<long?> s_count = new("--count", "-c") { Description = "Stop after this many frames", HelpName = "N" };
    private static readonly Option<double?> s_seconds = new("--seconds") { Description = "Stop after this many seconds", HelpName = "N" };
    private static readonly Option<int> s_snap = new("--snaplen", "-s") { Description = "Keep this many bytes of each frame", HelpName = "BYTES", DefaultValueFactory = _ => 262144 };

    internal static Command Create() => Verb.Define("capture", "Capture an interface's frames as pcapng, until Ctrl-C",
        ["sudo microvm capture web/vm-a1 -o web.pcapng", "sudo microvm capture vm-a1 --count 100 | tcpdump -nr -", "sudo microvm capture vm-a1 | wireshark -k -i -"], Run,
        s_interface, s_output, s_count, s_seconds, s_snap, CommonOptions.Netns);

    private static int Run(ParseResult result)
    {
        var output = result.GetValue(s_output) ?? "-";
        if (output == "-" && Terminal.Output.IsTerminal)
        {
            throw new UsageException("pcapng is no text for a terminal; give -o FILE, or pipe it into wireshark -k -i - or tcpdump -nr -");
        }
        var snap = result.GetValue(s_snap);
        if (snap is < 64 or > 262144 || result.GetValue(s_count) is <= 0 || result.GetValue(s_seconds) is <= 0 or > 1e9)
        {
            throw new UsageException("--snaplen takes 64 to 262144 bytes; --count and --seconds take a number above 0");
        }
        using var route = new RouteSocket();
        var link = Find(result.GetValue(s_interface)!, route.Links());
        using var socket = new PacketSocket(link.Name, link.Index);
        using var interrupts = new Interrupts();
        using var file = output == "-" ? null : Create(output);
        using var to = new BufferedStream(file ?? (Stream)Terminal.OutputStream, 256 * 1024);
        if (Terminal.Errors.IsTerminal)
        {
            Console.Error.WriteLine($"microvm: capturing from {Printable.Of(link.Name)} of {Printable.Of(Ownership.Vm(link.Alias)!)}; Ctrl-C ends it");
        }
        return Capture(socket, to, route, link, interrupts, snap, result.GetValue(s_count) ?? long.MaxValue, result.GetValue(s_seconds));
    }

    private static FileStream Create(string path)
    {
        try
        {
            return NamedFile.Open(path);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new UnauthorizedAccessException($"can't write '{path}': permission denied, also to the person who called sudo; choose a file that you may write", e);
        }
    }

    private static int Capture(PacketSocket socket, Stream to, RouteSocket route, Link link, Interrupts interrupts, int snap, long count, double? seconds)
    {
        var writer = new PcapNgWriter(to);
        var start = Now();
        writer.Begin($"microvm {typeof(CaptureCommand).Assembly.GetName().Version?.ToString(3)}", link.Name, link.Alias ?? "", snap);
        to.Flush();
        var buffer = new byte[snap];
        var clock = Stopwatch.StartNew();
        var captured = 0L;
        var gone = false;
        while (captured < count && !interrupts.Stop && !gone && !Terminal.OutputStream.IsBroken)
        {
            var left = seconds is { } s ? s * 1000 - clock.ElapsedMilliseconds : double.MaxValue;
            if (left <= 0)
            {
                break;
            }
            if (socket.Receive(buffer) is { } frame)
            {
                writer.Write(frame, buffer.AsSpan(0, frame.Captured));
                captured++;
                continue;
            }
            to.Flush();
            if (!socket.Wait(interrupts.WakeUp, (int)Math.Ceiling(Math.Min(left, 500))))
            {
                gone = IsGone(route, link);
                Terminal.OutputStream.LookForReader();
            }
        }
        var (seen, dropped) = socket.Statistics();
        writer.Finish(start, Now(), seen, dropped);
        to.Flush();
        Console.Error.WriteLine($"microvm: {captured} frame{(captured == 1 ? "" : "s")} captured from {Printable.Of(link.Name)}, {dropped} dropped{(gone ? "; the link is gone" : "")}");
        return gone ? 1 : 0;
    }

    private static Link Find(string wanted, IReadOnlyList<Link> links)
    {
        var slash = wanted.IndexOf('/');
        var (vm, id) = slash < 0 ? (null, wanted) : (wanted[..slash], wanted[(slash + 1)..]);
        var ours = links.Where(l => Ownership.Vm(l.Alias) is not null && (vm is null || Ownership.Vm(l.Alias) == vm)).ToList();
        // By its id, even where it was renamed; of a redirected pair the tap, unless the other is asked for by its name.
        if (ours.OrderBy(l => l.Tun is null).FirstOrDefault(l => Ownership.Id(l.Alias) == id) is { } link || (link = ours.FirstOrDefault(l => l.Name == id)) is not null)
        {
            return link;
        }
        var near = Printable.Nearest(wanted, links.Where(l => Ownership.Vm(l.Alias) is not null).SelectMany(l => new[] { Ownership.Id(l.Alias)!, $"{Ownership.Vm(l.Alias)}/{Ownership.Id(l.Alias)}" }));
        throw new UsageException($"no interface of a VM here is '{Printable.Of(wanted)}'{(near is null ? "; 'microvm status' lists them" : $"; did you mean '{Printable.Of(near)}'?")}");
    }

    private static bool IsGone(RouteSocket route, Link link)
    {
        try
        {
            return route.Find(link.Name).Index != link.Index;
        }
        catch (LinuxException)
        {
            return true;
        }
    }

    private static ulong Now() => (ulong)(DateTime.UtcNow - DateTime.UnixEpoch).Ticks * 100;
}
