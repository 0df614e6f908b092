using System.Text;

namespace Microvm.Cli.Completion;

/// <summary>Completion for zsh: to be sourced after compinit, or put into a directory of fpath as _microvm.</summary>
internal static class ZshCompletion
{
    internal static string Render(IReadOnlyList<CompletedCommand> commands)
    {
        var script = new StringBuilder("""
            #compdef microvm
            # Completion of microvm(1) for zsh:  source <(microvm completions zsh)
            _microvm_list() {
                local -a found
                found=(${(f)"$("$@" 2>/dev/null)"})
                compadd -a found
            }
            _microvm() {
                local cur=${words[CURRENT]} prev=${words[CURRENT-1]} at=microvm word
                local -a list
                for word in "${(@)words[2,CURRENT-1]}"; do
                    case "$at $word" in

            """);
        script.Append($"            {Or(commands.Skip(1).Select(c => c.Path))}) at+=\" $word\" ;;\n");
        script.Append("        esac\n    done\n    if [[ $cur == --*=* ]]; then\n        prev=${cur%%=*}\n        compset -P '*='\n    fi\n    case \"$at $prev\" in\n");
        foreach (var command in commands)
        {
            foreach (var option in command.Options.Where(o => o.TakesValue))
            {
                script.Append($"        {Or(option.Names.Select(n => $"{command.Path} {n}"))}) {Offer(option.Values)}return ;;\n");
            }
        }
        script.Append("    esac\n    case $at in\n");
        foreach (var command in commands)
        {
            script.Append($"        {Quote(command.Path)})\n            if [[ $cur == -* ]]; then\n                list=({Described(command.Options.SelectMany(o => o.Names.Select(n => (n, o.Description))))})\n                _describe -o option list\n            else\n");
            if (command.Children.Count > 0)
            {
                script.Append($"                list=({Described(command.Children.Select(c => (c.Name, c.Meaning)))})\n                _describe command list\n");
            }
            script.Append($"                {Offer(command.Arguments)}true\n            fi\n            ;;\n");
        }
        return script.Append("    esac\n}\nif [[ ${funcstack[1]} == _microvm ]]; then\n    _microvm \"$@\"\nelse\n    compdef _microvm microvm\nfi\n").ToString();
    }

    private static string Offer(Values values) =>
        (values.Words.Count > 0 ? $"compadd -- {string.Join(' ', values.Words.Select(Quote))}; " : "")
        + (values.Source is { } source ? $"_microvm_list command microvm completions {source}; " : "")
        + (values.Files ? "_files; " : values.Directories ? "_files -/; " : "");

    // In _describe's lists a colon parts the word from its description.
    private static string Described(IEnumerable<(string Word, string Text)> items) =>
        string.Join(' ', items.Select(i => Quote($"{i.Word.Replace(":", "\\:", StringComparison.Ordinal)}:{i.Text}")));

    private static string Or(IEnumerable<string> patterns) => string.Join(" | ", patterns.Select(Quote));
    private static string Quote(string word) => $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
