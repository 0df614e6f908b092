using System.Text;

namespace Microvm.Cli.Completion;

/// <summary>Completion for fish.</summary>
internal static class FishCompletion
{
    internal static string Render(IReadOnlyList<CompletedCommand> commands)
    {
        var script = new StringBuilder($$"""
            # Completion of microvm(1) for fish:  microvm completions fish | source
            function __microvm_at
                set -l at microvm
                for word in (commandline -opc)[2..]
                    if contains -- "$at $word" {{string.Join(' ', commands.Skip(1).Select(c => Quote(c.Path)))}}
                        set at "$at $word"
                    end
                end
                test "$at" = "$argv[1]"
            end
            complete -c microvm -f

            """);
        foreach (var command in commands)
        {
            var here = $"complete -c microvm -n {Quote($"__microvm_at {Quote(command.Path)}")}";
            foreach (var child in command.Children)
            {
                script.Append($"{here} -a {Quote(child.Name)} -d {Quote(child.Meaning)}\n");
            }
            foreach (var option in command.Options)
            {
                var names = string.Concat(option.Names.Select(n => n.Length == 2 ? $" -s {Quote(n[1..])}" : $" -l {Quote(n.TrimStart('-'))}"));
                script.Append($"{here}{names} -d {Quote(option.Description)}{(option.TakesValue ? " -x" + Offer(option.Values) : "")}\n");
            }
            if (command.Arguments.Any)
            {
                script.Append($"{here}{Offer(command.Arguments)}\n");
            }
        }
        return script.ToString();
    }

    private static string Offer(Values values)
    {
        var from = new List<string>();
        if (values.Words.Count > 0)
        {
            from.Add(string.Join(' ', values.Words.Select(w => Quote(w))));
        }
        if (values.Source is { } source)
        {
            from.Add($"(command microvm completions {source} 2>/dev/null)");
        }
        if (values.Files || values.Directories)
        {
            from.Add(values.Files ? "(__fish_complete_path (commandline -ct))" : "(__fish_complete_directories (commandline -ct))");
        }
        return from.Count == 0 ? "" : $" -a {Quote(string.Join(' ', from))}";
    }

    private static string Quote(string word) => $"'{word.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal)}'";
}
