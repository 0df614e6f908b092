using System.Globalization;
using Microvm.Declaration;
using Microvm.Linux;
using Microvm.Network.Applying;

namespace Microvm.Network.Networks;

/// <summary>What the services of one network are told and tell: a directory of root's below <c>/run</c>, for each network namespace by itself.</summary>
internal sealed class NetworkFolder
{
    private const string Root = "/run/microvm/networks";

    internal const string Reservations = "reservations", Names = "names";

    private const int Most = 16 * 1024 * 1024;

    private readonly string _namespace;

    internal NetworkFolder(string network) => (_namespace, Network) = (Namespace(), network);

    internal string Network { get; }

    internal string Path => $"{Root}/{_namespace}/{Network}";

    /// <summary>The names of all networks that have one in this network namespace.</summary>
    internal static IReadOnlyList<string> All()
    {
        var folder = $"{Root}/{Namespace()}";
        return Directory.Exists(folder) ? [.. Directory.EnumerateDirectories(folder).Select(d => System.IO.Path.GetFileName(d)).Order(StringComparer.Ordinal)] : [];
    }

    /// <summary>A file's text; null where there is none.</summary>
    internal string? Read(string file)
    {
        try
        {
            // dnsmasq writes here as a user of its own: what is no regular file, or has no end, is none.
            var path = $"{Path}/{file}";
            using var folder = HeldFolder.Open(System.IO.Path.GetDirectoryName(path)!);
            return folder.Read(System.IO.Path.GetFileName(path), Most) is { } bytes ? System.Text.Encoding.UTF8.GetString(bytes) : null;
        }
        catch (LinuxException)
        {
            return null;
        }
    }

    /// <summary>The files of a directory in it.</summary>
    internal IReadOnlyList<string> List(string folder) =>
        Directory.Exists($"{Path}/{folder}") ? [.. Directory.EnumerateFiles($"{Path}/{folder}").Select(f => System.IO.Path.GetFileName(f)).Where(f => f[0] != '.').Order(StringComparer.Ordinal)] : [];

    /// <summary>Puts a file in place; its way back is noted first.</summary>
    /// <param name="text">Null removes it.</param>
    internal void Write(string file, string? text, UndoLog undo)
    {
        var before = Read(file);
        if (before != text)
        {
            undo.Push(() => Put(file, before));
            Put(file, text);
        }
    }

    /// <summary>Removes the directory, and those above it that are empty then.</summary>
    internal void Remove()
    {
        HeldFolder.RemoveAt(Path);
        HeldFolder.RemoveIfEmpty($"{Root}/{_namespace}");
        HeldFolder.RemoveIfEmpty(Root);
        if (!NetworkUnit.HasTemplate)
        {
            // Units of a host may write there, and make nothing beside it.
            HeldFolder.RemoveIfEmpty(System.IO.Path.GetDirectoryName(Root)!);
        }
    }

    private void Put(string file, string? text)
    {
        var path = $"{Path}/{file}";
        if (text is null && !File.Exists(path))
        {
            return;
        }
        using var folder = HeldFolder.OpenOrMake(System.IO.Path.GetDirectoryName(path)!);
        if (text is null)
        {
            _ = folder.Remove(System.IO.Path.GetFileName(path));
            return;
        }
        folder.Put(System.IO.Path.GetFileName(path), System.Text.Encoding.UTF8.GetBytes(text));
    }

    /// <summary>The number of the calling thread's network namespace: <c>net:[4026531840]</c>.</summary>
    private static string Namespace()
    {
        var target = File.ResolveLinkTarget("/proc/thread-self/ns/net", returnFinalTarget: false)?.Name ?? "";
        var digits = string.Concat(target.Where(char.IsAsciiDigit));
        return digits.Length > 0 ? digits : throw new LinuxException($"tell the network namespace from '{Printable.Of(target)}'", 0);
    }
}
