import type { Completed, Place } from "./words.ts";

/** The completion of a program for fish. */
export function fishScript({ program, commands, settings }: Completed): string {
  const words = `complete -c ${program}`;
  const lines = commands.flatMap((command) => {
    const when = `-n '__${program}_at ${command.name === "" ? '""' : `"${command.name}"`}'`;
    const inside = commands.filter(({ name }) => isIn(name, command.name));
    const argument =
      inside.length > 0
        ? inside.map(
            ({ name, summary }) => `${words} ${when} -a ${quoted(name.split(" ").at(-1)!)} -d ${quoted(summary)}`,
          )
        : [`${words} ${when}${argumentsOf(program, command.argument)}`];
    const flags = command.flags.map(
      ({ name, description, value }) =>
        `${words} ${when} -l ${name}${value === undefined ? "" : ` -r${argumentsOf(program, value)}`} -d ${quoted(description)}`,
    );
    return [...argument, ...flags];
  });
  const names = commands.map(({ name }) => quoted(name)).join(" ");
  return `# fish completion for ${program}
#   ${program} completion fish | source

# True where the words so far name this command and no other.
function __${program}_at
    set -l found ""
    set -l names ${names}
    for word in (commandline -opc)[2..]
        set -l longer (string trim "$found $word")
        contains -- "$longer" $names; and set found "$longer"
    end
    test "$found" = "$argv[1]"
end

function __${program}_runs
    for file in runs/*/config.json
        string replace /config.json "" $file
    end
    __fish_complete_directories (commandline -ct) ""
end

set -g __${program}_settings ${settings.map((key) => `${key}=`).join(" ")}
complete -c ${program} -f
${lines.join("\n")}
`;
}

/** True for a name one word longer. */
function isIn(name: string, group: string): boolean {
  const rest = group === "" ? name : name.startsWith(`${group} `) ? name.slice(group.length + 1) : "";
  return rest !== "" && !rest.includes(" ");
}

function argumentsOf(program: string, place: Place): string {
  if (place.kind === "words") return ` -x -a ${quoted(place.words.join(" "))}`;
  const kinds: Readonly<Record<typeof place.kind, string>> = {
    assignments: ` -x -a '$__${program}_settings'`,
    runs: ` -x -a '(__${program}_runs)'`,
    folders: ` -x -a '(__fish_complete_directories (commandline -ct) "")'`,
    configs: ` -x -a '(__fish_complete_suffix .yaml; __fish_complete_suffix .yml; __fish_complete_suffix .json)'`,
    files: " -F",
    unknown: " -f",
  };
  return kinds[place.kind];
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
