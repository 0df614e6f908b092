using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;
using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Nix;

/// <summary>One run of nix, bounded in time and in what it may say.</summary>
internal static class NixEvaluation
{
    /// <summary>More than this of a declaration, with the places of its values, is refused.</summary>
    private const int MostOutput = 64 * 1024 * 1024;

    /// <summary>Of what nix says when it gives up, the end is kept: there stands the error itself.</summary>
    private const int MostErrors = 1024 * 1024;

    internal static Node? Run(ProcessStartInfo start, NixOptions options, NixSource source, TimeSpan limit, DiagnosticBag diagnostics)
    {
        var here = new SourcePosition(source.Name, 0, 0);
        Process process;
        try
        {
            process = Start(start, options);
        }
        catch (Win32Exception e) when (e.NativeErrorCode == 2)
        {
            diagnostics.Error(here, "a .nix declaration needs nix, and 'nix-instantiate' is not on the PATH; install it (Debian: apt install nix-bin), or write the declaration as JSON");
            return null;
        }
        catch (Win32Exception e)
        {
            diagnostics.Error(here, $"nix can't be started: {e.Message}");
            return null;
        }
        using (process)
        {
            var output = new BoundedText(process.StandardOutput.BaseStream, MostOutput);
            var errors = new BoundedText(process.StandardError.BaseStream, MostErrors, keepsEnd: true);
            // The pipes close with the last process that nix started, or the limit ends them all.
            var read = Task.WhenAll(output.Task, errors.Task, Feed(process));
            _ = Task.WaitAny([read, output.Overflow.Task], limit);
            if (output.Overflow.Task.IsCompleted || !read.IsCompleted || !process.WaitForExit(limit))
            {
                process.Kill(true);
                diagnostics.Error(here, output.Overflow.Task.IsCompleted
                    ? $"this evaluates to more than {MostOutput / 1024 / 1024} MiB and can't be a declaration"
                    : $"nix did not finish within {limit.TotalSeconds:0} s; is there an endless recursion in the declaration?");
                return null;
            }
            var said = errors.Text;
            NixError.Notes(source, said, diagnostics);
            if (process.ExitCode != 0)
            {
                NixError.Explain(source, said, process.ExitCode, diagnostics);
                return null;
            }
            try
            {
                using var document = JsonDocument.Parse(output.Bytes, new JsonDocumentOptions { MaxDepth = 512 });
                return TaggedValue.Read(document.RootElement, source, diagnostics);
            }
            catch (JsonException)
            {
                diagnostics.Error(here, "nix's answer can't be read: is a value in the declaration nested too deeply, or no text?");
                return null;
            }
        }
    }

    private static Process Start(ProcessStartInfo start, NixOptions options)
    {
        if (options.Guard.Count > 0)
        {
            // Ours goes in front of nix's own command line.
            string[] words = [.. options.Guard.Skip(1), SearchPath.Find(start.FileName) ?? throw new Win32Exception(2), .. start.ArgumentList];
            start.ArgumentList.Clear();
            foreach (var word in words)
            {
                start.ArgumentList.Add(word);
            }
            start.FileName = options.Guard[0];
        }
        return SearchPath.Start(start);
    }

    /// <summary>Hands the expression over; nix that ends before it has read it has a reason, which it tells.</summary>
    private static async Task Feed(Process process)
    {
        try
        {
            await using var input = process.StandardInput;
            await input.WriteAsync(NixExpression.Whole).ConfigureAwait(false);
        }
        catch (IOException)
        {
            // It tells why.
        }
    }
}
