import { sharedFunctions } from "./posix.ts";
import type { Completed } from "./words.ts";

/** The completion of a program for bash 3.2 and later, on its own: it needs no package bash-completion. */
export function bashScript(completed: Completed): string {
  const { program } = completed;
  return `# bash completion for ${program}
#   source <(${program} completion bash)

${sharedFunctions(completed)}

_${program}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" flag="\${COMP_WORDS[COMP_CWORD - 1]}" command place each REPLY
  COMPREPLY=()
  # Bash makes a word of the = in --flag=value.
  if [[ $current == "=" ]]; then
    current=""
  elif [[ $flag == "=" ]]; then
    flag="\${COMP_WORDS[COMP_CWORD - 2]}"
  fi
  _${program}_command "\${COMP_WORDS[@]:1:COMP_CWORD - 1}"
  command="$REPLY"
  _${program}_place "$command" "$flag" "$current"
  place="$REPLY"
  local IFS=$'\\n'
  case "$place" in
    words:*) COMPREPLY=($(compgen -W "$(printf '%s' "\${place#words:}" | tr ' ' '\\n')" -- "$current")) ;;
    assignments:)
      COMPREPLY=($(compgen -W "$(printf '%s' "$_${program}_settings" | tr ' ' '\\n')" -- "$current"))
      compopt -o nospace 2>/dev/null
      ;;
    configs:)
      for each in yaml yml json; do COMPREPLY+=($(compgen -f -X "!*.$each" -- "$current")); done
      COMPREPLY+=($(compgen -d -- "$current"))
      compopt -o filenames 2>/dev/null
      ;;
    runs:)
      for each in runs/*/config.json; do
        each="\${each%/config.json}"
        [[ -e $each/config.json && $each == "$current"* ]] && COMPREPLY+=("$each")
      done
      COMPREPLY+=($(compgen -d -- "$current"))
      compopt -o filenames 2>/dev/null
      ;;
    folders:)
      COMPREPLY=($(compgen -d -- "$current"))
      compopt -o filenames 2>/dev/null
      ;;
    files:)
      COMPREPLY=($(compgen -f -- "$current"))
      compopt -o filenames 2>/dev/null
      ;;
  esac
}
complete -F _${program} ${program}
`;
}
