using System.Text;
using Microvm.Declaration;
using Microvm.Linux;

namespace Microvm.Host.Install;

/// <summary>What an installation did, or would do, to one path.</summary>
/// <param name="Action">write, keep, remove or leave.</param>
/// <param name="Reason">Why it is left alone; null otherwise.</param>
public sealed record InstallStep(string Action, string Path, string? Reason = null);

/// <summary>Writes the host's files below a root and takes exactly these away. A manifest beside them tells which files and
/// directories are ours and how we wrote them, so that what somebody edited or made is never lost.</summary>
/// <param name="root">/ for this host, another directory for a packager.</param>
/// <param name="manifest">Where the manifest stands below the root.</param>
public sealed class HostInstaller(string root, string manifest)
{
    private readonly string _root = Path.GetFullPath(root);

    /// <summary>Writes what differs. Nothing is written where a file is in the way that is not ours.</summary>
    /// <param name="dryRun">Only tells.</param>
    /// <exception cref="IOException">A file is in the way, or can't be written; what was written before is taken back.</exception>
    public IReadOnlyList<InstallStep> Install(IReadOnlyList<HostFile> files, bool dryRun)
    {
        RefuseOpen(files.Select(f => f.Path));
        var known = Read();
        RefuseOpen([.. known.Files.Keys, .. known.Directories]);
        var steps = files.Select(f => Compare(f, known)).ToList();
        if (steps.FirstOrDefault(s => s.Action == "leave") is { } foreign)
        {
            throw new IOException($"{foreign.Path} is in the way: {foreign.Reason}; move it away, then run this again");
        }
        // A file of an older version that this one no longer has.
        var gone = known.Files.Keys.Where(k => files.All(f => f.Path != k)).ToList();
        if (dryRun)
        {
            return [.. steps, .. gone.Select(g => new InstallStep("remove", g))];
        }
        var made = new List<string>();
        var written = new Stack<(string Path, string? Before)>();
        try
        {
            foreach (var (file, step) in files.Zip(steps).Where(p => p.Second.Action == "write"))
            {
                var path = Real(file.Path);
                MakeDirectory(Path.GetDirectoryName(path)!, made);
                written.Push((path, file.IsLink || !File.Exists(path) ? null : File.ReadAllText(path)));
                Put(path, file);
            }
            var after = new Manifest(files.ToDictionary(f => f.Path, Hash), [.. known.Directories, .. made.Select(Below)]);
            MakeDirectory(Path.GetDirectoryName(Real(manifest))!, made);
            after.Directories.UnionWith(made.Select(Below));
            if (steps.Any(s => s.Action == "write") || gone.Count > 0 || !File.Exists(Real(manifest)))
            {
                Put(Real(manifest), new(manifest, after.Print()));
            }
        }
        catch
        {
            while (written.TryPop(out var back))
            {
                _ = HeldFolder.RemoveAt(back.Path);
                if (back.Before is { } before)
                {
                    Put(back.Path, new("", before));
                }
            }
            RemoveEmpty(made.Select(Below));
            throw;
        }
        gone.ForEach(g => _ = HeldFolder.RemoveAt(Real(g)));
        return [.. steps, .. gone.Select(g => new InstallStep("remove", g))];
    }

    /// <summary>Takes away what <see cref="Install"/> wrote and nobody changed since.</summary>
    /// <exception cref="IOException">Others than root may change a part of the root's files.</exception>
    public IReadOnlyList<InstallStep> Uninstall(bool dryRun)
    {
        RefuseOpen([]);
        var known = Read();
        RefuseOpen([.. known.Files.Keys, .. known.Directories]);
        var steps = new List<InstallStep>();
        foreach (var (path, hash) in known.Files)
        {
            var there = HashOf(Real(path));
            if (there is null)
            {
                continue;
            }
            steps.Add(there == hash ? new("remove", path) : new("leave", path, "it was edited since it was installed"));
        }
        if (dryRun)
        {
            return steps;
        }
        foreach (var step in steps.Where(s => s.Action == "remove"))
        {
            _ = HeldFolder.RemoveAt(Real(step.Path));
        }
        _ = HeldFolder.RemoveAt(Real(manifest));
        RemoveEmpty(known.Directories);
        return steps;
    }

    private InstallStep Compare(HostFile file, Manifest known)
    {
        var there = HashOf(Real(file.Path));
        return there is null ? new("write", file.Path)
            : there == Hash(file) ? new("keep", file.Path)
            : !known.Files.TryGetValue(file.Path, out var ours) ? new("leave", file.Path, "it was not written by 'microvm host install'")
            : there == ours ? new("write", file.Path)
            : new("leave", file.Path, "it was edited since it was installed");
    }

    /// <summary>Below a directory that others may change, a link could lead to the host's own files, and the manifest could name them.</summary>
    private void RefuseOpen(IEnumerable<string> paths)
    {
        if (_root != "/" && PosixProcess.EffectiveUser == 0 && paths.Append(manifest).Select(p => FileStatus.OpenToOthers(Real(p))).FirstOrDefault(p => p is not null) is { } open)
        {
            throw new IOException($"{open} may be changed by others than root, so root changes nothing below {_root}: run it as the owner of that directory, since nothing there needs root, or choose a directory of root's");
        }
    }

    private string Real(string path) => Path.Join(_root, path);
    private string Below(string path) => "/" + Path.GetRelativePath(_root, path);

    private static void Put(string path, HostFile file)
    {
        using var folder = HeldFolder.Open(Path.GetDirectoryName(path)!);
        if (file.IsLink)
        {
            folder.PutLink(Path.GetFileName(path), file.Content);
        }
        else
        {
            folder.Put(Path.GetFileName(path), Encoding.UTF8.GetBytes(file.Content));
        }
    }

    private static void MakeDirectory(string path, List<string> made) => HeldFolder.OpenOrMake(path, made.Add).Dispose();

    private void RemoveEmpty(IEnumerable<string> directories)
    {
        foreach (var path in directories.Select(Real).OrderByDescending(d => d.Length))
        {
            HeldFolder.RemoveIfEmpty(path);
        }
    }

    private Manifest Read() => File.Exists(Real(manifest)) ? Manifest.Parse(File.ReadAllText(Real(manifest))) : new([], []);

    private static string Hash(HostFile file) => file.IsLink ? $"-> {file.Content}" : Hash(Encoding.UTF8.GetBytes(file.Content));
    private static string Hash(byte[] content) => Convert.ToHexStringLower(Sha256.HashData(content));

    private static string? HashOf(string path)
    {
        var info = new FileInfo(path);
        return info.LinkTarget is { } target ? $"-> {target}" : info.Exists ? Hash(File.ReadAllBytes(path)) : Directory.Exists(path) ? "a directory" : null;
    }

    /// <summary>Lines of "file HASH PATH" and "directory PATH".</summary>
    private sealed record Manifest(Dictionary<string, string> Files, HashSet<string> Directories)
    {
        internal static Manifest Parse(string text)
        {
            var result = new Manifest([], []);
            foreach (var words in text.Split('\n').Select(l => l.Split('\t')))
            {
                switch (words)
                {
                    // One that leads out of the root is none that we wrote.
                    case ["file", var hash, var path] when IsPlain(path): result.Files[path] = hash; break;
                    case ["directory", var path] when IsPlain(path): _ = result.Directories.Add(path); break;
                }
            }
            return result;
        }

        private static bool IsPlain(string path) => path.StartsWith('/') && Path.GetFullPath(path) == path;

        internal string Print() => string.Concat(
            Files.OrderBy(f => f.Key, StringComparer.Ordinal).Select(f => $"file\t{f.Value}\t{f.Key}\n")
                .Concat(Directories.Order(StringComparer.Ordinal).Select(d => $"directory\t{d}\n")));
    }
}
