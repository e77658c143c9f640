import type { Command as Program, Option } from "commander";

/**
 * What may stand in a place of the command line: one of some words, a file, a folder, a run folder, settings (YAML or JSON),
 * or something that nobody can guess.
 */
export type Place =
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "files" | "folders" | "runs" | "configs" | "assignments" | "unknown" };

export interface CompletedFlag {
  /** Without its dashes. */
  readonly name: string;
  readonly description: string;
  /** Undefined for a flag without a value. */
  readonly value: Place | undefined;
}

export interface CompletedCommand {
  /** One word, or the name of a group and a word; empty for the program itself. */
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly CompletedFlag[];
  readonly argument: Place;
}

/** Everything that can be completed. `settings` are the dotted keys that `--set` takes. */
export interface Completed {
  /** The program's own name. */
  readonly program: string;
  readonly commands: readonly CompletedCommand[];
  readonly settings: readonly string[];
}

/** Reads what can be completed from a program all of whose commands are loaded. */
export function completedOf(program: Program, settings: readonly string[]): Completed {
  const shared = program.options.map(flagOf);
  const commandsIn = (parent: Program, prefix: string): CompletedCommand[] =>
    parent.commands.flatMap((each) => {
      const name = `${prefix}${each.name()}`;
      const inside = commandsIn(each, `${name} `);
      const first: Place = { kind: "words", words: each.commands.map((command) => command.name()) };
      const [argument] = each.registeredArguments;
      const own: CompletedCommand = {
        name,
        summary: each.summary(),
        flags: [...each.options.map(flagOf), ...shared.filter((flag) => flag.name !== "version"), HELP],
        argument:
          inside.length > 0
            ? first
            : argument === undefined
              ? UNKNOWN
              : choicesOr(argument.argChoices, placeOf(argument.name())),
      };
      return [own, ...inside];
    });
  const commands = commandsIn(program, "");
  const words = program.commands.map((each) => each.name());
  const itself: CompletedCommand = {
    name: "",
    summary: "",
    flags: [...shared, HELP],
    argument: { kind: "words", words },
  };
  return { program: program.name(), commands: [itself, ...commands], settings };
}

const UNKNOWN: Place = { kind: "unknown" };
const HELP: CompletedFlag = { name: "help", description: "show the common commands and options", value: undefined };

function flagOf(option: Option): CompletedFlag {
  const takesValue = option.required || option.optional;
  const placeholder = /[<[](.*)[>\]]$/.exec(option.flags)?.[1] ?? "";
  const name = option.long!.replace(/^--/, "");
  const value = takesValue ? choicesOr(option.argChoices, placeOf(placeholder)) : undefined;
  return { name, description: option.description, value };
}

function choicesOr(choices: readonly string[] | undefined, otherwise: Place): Place {
  return choices === undefined ? otherwise : { kind: "words", words: choices };
}

/** What the name of a placeholder promises: `<folder>`, `<file...>`, `<[name=]folder>`. */
function placeOf(placeholder: string): Place {
  const word = placeholder.replace("...", "").replace("[name=]", "");
  const kinds: Readonly<Record<string, Place["kind"] & Exclude<Place["kind"], "words">>> = {
    config: "configs",
    sweep: "configs",
    run: "runs",
    folder: "folders",
    ref: "folders",
    file: "files",
    paths: "files",
    "key=value": "assignments",
  };
  return { kind: kinds[word] ?? "unknown" };
}
