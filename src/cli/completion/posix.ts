import type { Completed, CompletedCommand, Place } from "./words.ts";

/**
 * Shell functions that bash and zsh share. They print nothing: a completion starts no process of this
 * program and evaluates nothing of the line.
 */
export function sharedFunctions({ program, commands, settings }: Completed): string {
  const groups = commands.filter(({ name }) =>
    commands.some((each) => each.name.startsWith(`${name} `) && name !== ""),
  );
  const cases = (lines: readonly string[]): string => lines.map((line) => `    ${line}`).join("\n");
  const flags = commands.map(
    ({ name, flags: own }) => `"${name}") REPLY="${own.map((flag) => `--${flag.name}`).join(" ")}" ;;`,
  );
  const values = commands.flatMap(({ name, flags: own }) =>
    own.flatMap((flag) =>
      flag.value === undefined ? [] : [`"${name} --${flag.name}") REPLY="${placeText(flag.value)}" ;;`],
    ),
  );
  const places = commands.map((command) => `"${command.name}") REPLY="${placeText(command.argument)}" ;;`);
  return `# The flags of a command.
_${program}_flags() {
  case "$1" in
${cases(flags)}
  esac
}

# What follows a flag of a command: a kind of place and a colon, or "" for a flag without a value.
_${program}_value() {
  case "$1" in
${cases(values)}
    *) REPLY="" ;;
  esac
}

# What a command itself takes.
_${program}_argument() {
  case "$1" in
${cases(places)}
  esac
}

# The place at which a word of a command stands: REPLY is its kind, a colon, and the words of which it is one.
_${program}_place() {
  REPLY=""
  [[ $2 == --* ]] && _${program}_value "$1 $2"
  if [[ -z $REPLY && $3 == -* ]]; then
    _${program}_flags "$1"
    REPLY="words:$REPLY"
  elif [[ -z $REPLY ]]; then
    _${program}_argument "$1"
  fi
}

# The command among words: REPLY is its name.
_${program}_command() {
  local found="" word
  for word in "$@"; do
    case "$found" in
      "") case "$word" in
        ${namesIn(commands.filter(({ name }) => name !== "" && !name.includes(" ")))}) found="$word" ;;
      esac ;;
${groups
  .map(
    ({ name }) => `      "${name}") case "$word" in
        ${namesIn(commands.filter((each) => each.name.startsWith(`${name} `)))}) found="${name} $word" ;;
      esac ;;`,
  )
  .join("\n")}
    esac
  done
  REPLY="$found"
}

_${program}_settings="${settings.map((key) => `${key}=`).join(" ")}"`;
}

function namesIn(commands: readonly CompletedCommand[]): string {
  return commands.map(({ name }) => name.split(" ").at(-1)!).join(" | ");
}

function placeText(place: Place): string {
  return place.kind === "words" ? `words:${place.words.join(" ")}` : `${place.kind}:`;
}
