using System.Text;

namespace Microvm.Cli.Completion;

/// <summary>Completion for bash, without the bash-completion package.</summary>
internal static class BashCompletion
{
    internal static string Render(IReadOnlyList<CompletedCommand> commands)
    {
        var script = new StringBuilder("""
            # Completion of microvm(1) for bash:  source <(microvm completions bash)
            # Lists what COMMAND prints, a candidate a line, without ever evaluating it.
            _microvm_list() {
                local line
                while IFS= read -r line; do
                    [[ $line == "$cur"* ]] && COMPREPLY+=("$(printf %q "$line")")
                done < <("$@" 2>/dev/null)
            }
            _microvm_words() {
                local word
                for word in "$@"; do
                    [[ $word == "$cur"* ]] && COMPREPLY+=("$word")
                done
            }
            _microvm_files() {
                compopt -o filenames 2>/dev/null
                local name
                while IFS= read -r name; do
                    COMPREPLY+=("$name")
                done < <(compgen "$1" -- "$cur")
            }
            _microvm() {
                local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} at=microvm i
                COMPREPLY=()
                if [[ $cur == = ]]; then
                    cur=
                elif [[ $prev == = && COMP_CWORD -gt 2 ]]; then
                    prev=${COMP_WORDS[COMP_CWORD - 2]}
                fi
                for ((i = 1; i < COMP_CWORD; i++)); do
                    case "$at ${COMP_WORDS[i]}" in

            """);
        script.Append($"            {Or(commands.Skip(1).Select(c => c.Path))}) at+=\" ${{COMP_WORDS[i]}}\" ;;\n");
        script.Append("        esac\n    done\n    case \"$at $prev\" in\n");
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
            script.Append($"        {Quote(command.Path)})\n            if [[ $cur == -* ]]; then\n                _microvm_words {Words(command.Options.SelectMany(o => o.Names))}\n");
            script.Append($"            else\n                {Offer(command.Arguments with { Words = [.. command.Children.Select(c => c.Name), .. command.Arguments.Words] })}true\n            fi\n            ;;\n");
        }
        return script.Append("    esac\n}\ncomplete -F _microvm microvm\n").ToString();
    }

    private static string Offer(Values values) =>
        (values.Words.Count > 0 ? $"_microvm_words {Words(values.Words)}; " : "")
        + (values.Source is { } source ? $"_microvm_list command microvm completions {source}; " : "")
        + (values.Files ? "_microvm_files -f; " : values.Directories ? "_microvm_files -d; " : "");

    private static string Words(IEnumerable<string> words) => string.Join(' ', words.Select(Quote));
    private static string Or(IEnumerable<string> patterns) => string.Join(" | ", patterns.Select(Quote));
    private static string Quote(string word) => $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
