using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microvm.Declaration;

namespace Microvm.Nix;

/// <summary>Reads a <c>.nix</c> declaration by asking the real nix; no Nix parser of our own.</summary>
public static partial class NixFrontDoor
{
    /// <summary>How long an evaluation may take before it is ended.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private static readonly Lazy<string> s_expression = new(() =>
    {
        using var stream = typeof(NixFrontDoor).Assembly.GetManifestResourceStream("eval.nix")!;
        return new StreamReader(stream).ReadToEnd();
    });

    /// <summary>The declaration as a node, or null after an error in <paramref name="diagnostics"/>.</summary>
    public static Node? Read(string file, DiagnosticBag diagnostics)
    {
        var here = new SourcePosition(file, 0, 0);
        var start = new ProcessStartInfo("nix-instantiate") { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach (var argument in (string[])["--store", "dummy://", "--eval", "--json", "--strict", "--expr", s_expression.Value, "--argstr", "file", Path.GetFullPath(file)])
        {
            start.ArgumentList.Add(argument);
        }
        start.Environment["NIX_CONFIG"] = "";
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            diagnostics.Error(here, "a .nix declaration needs nix, and 'nix-instantiate' is not on the PATH; install it (Debian: apt install nix-bin), or write the declaration as JSON");
            return null;
        }
        using (process)
        {
            process.StandardInput.Close();
            var output = process.StandardOutput.ReadToEndAsync();
            var errors = process.StandardError.ReadToEndAsync();
            if (!process.WaitForExit(Limit))
            {
                process.Kill(true);
                diagnostics.Error(here, $"nix did not finish within {Limit.TotalSeconds:0} s; is there an endless recursion in the declaration?");
                return null;
            }
            if (process.ExitCode != 0)
            {
                Explain(file, errors.Result, diagnostics);
                return null;
            }
            using var document = JsonDocument.Parse(output.Result, new JsonDocumentOptions { MaxDepth = 512 });
            return ToNode(document.RootElement, here);
        }
    }

    private static void Explain(string file, string errors, DiagnosticBag diagnostics)
    {
        var plain = Colour().Replace(errors, "");
        var message = Message().Match(plain) is { Success: true } m ? m.Groups[1].Value.Trim() : "nix could not evaluate this";
        var full = Path.GetFullPath(file);
        var at = new SourcePosition(file, 0, 0);
        foreach (Match place in Place().Matches(plain))
        {
            if (place.Groups[1].Value == full)
            {
                at = new(file, int.Parse(place.Groups[2].Value), int.Parse(place.Groups[3].Value));
                break;
            }
        }
        diagnostics.Error(at, Printable.Of(message.Replace("\n", " ")));
    }

    private static Node ToNode(JsonElement tagged, SourcePosition outer)
    {
        var at = outer;
        if (tagged.GetProperty("p") is { ValueKind: JsonValueKind.Object } p)
        {
            at = new(p.GetProperty("file").GetString()!, p.GetProperty("line").GetInt32(), p.GetProperty("column").GetInt32());
            at = Path.GetFullPath(outer.File) == at.File ? at with { File = outer.File } : at;
        }
        var value = tagged.GetProperty("v");
        switch (value.ValueKind)
        {
            case JsonValueKind.Object when value.TryGetProperty("m", out var members):
                var list = members.EnumerateArray().Select(m => ToNode(m, at) is var node ? new Member(m.GetProperty("n").GetString()!, node.At, node) : null!).ToList();
                return new ObjectNode(at, list);
            case JsonValueKind.Object when value.TryGetProperty("l", out var items):
                return new ArrayNode(at, [.. items.EnumerateArray().Select(i => ToNode(i, at))]);
            case JsonValueKind.String: return new StringNode(at, value.GetString()!);
            case JsonValueKind.Number: return new NumberNode(at, value.TryGetInt64(out var n) ? n : null);
            case JsonValueKind.True or JsonValueKind.False: return new BoolNode(at, value.GetBoolean());
            default: return new NullNode(at);
        }
    }

    [GeneratedRegex("\u001b\\[[0-9;]*m")] private static partial Regex Colour();
    [GeneratedRegex(@"error: (.*?)(\n\n|\n\s+at |\n\s+…|\n\(use|$)", RegexOptions.Singleline)] private static partial Regex Message();
    [GeneratedRegex(@"at (/[^\n]*?):(\d+):(\d+)")] private static partial Regex Place();
}
