import { sharedFunctions } from "./posix.ts";
import type { Completed } from "./words.ts";

/** The completion of a program for zsh, to be sourced after compinit or put into a folder of fpath as `_program`. */
export function zshScript(completed: Completed): string {
  const { program } = completed;
  return `#compdef ${program}
#   source <(${program} completion zsh)

${sharedFunctions(completed)}

_${program}() {
  local current="$words[CURRENT]" flag="$words[CURRENT - 1]" command place REPLY
  _${program}_command "\${(@)words[2, CURRENT - 1]}"
  command="$REPLY"
  if [[ $current == --*=* ]]; then
    flag="\${current%%=*}"
    compset -P '*='
  fi
  _${program}_place "$command" "$flag" "$current"
  place="$REPLY"
  case "$place" in
    words:*) compadd -- \${=place#words:} ;;
    assignments:) compadd -S '' -- \${=_${program}_settings} ;;
    configs:) _files -g '*.(yaml|yml|json)' ;;
    runs:)
      compadd -f -- runs/*/config.json(N:h)
      _files -/
      ;;
    folders:) _files -/ ;;
    files:) _files ;;
  esac
}
# Sourced, it registers itself; from a folder of fpath it is called.
if [[ $funcstack[1] == _${program} ]]; then
  _${program} "$@"
else
  compdef _${program} ${program}
fi
`;
}
