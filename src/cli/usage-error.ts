import type { Command, CommanderError } from "commander";
import { nearest } from "../diagnostics/nearest.ts";
import { UserError } from "../diagnostics/user-error.ts";

/** Explains a mistake on the command line, with the nearest legal name as a hint. */
export function usageError(error: CommanderError, command: Command, example: string | undefined): UserError {
  const message = error.message.replace(/^error: /, "");
  return new UserError("config", message, { hint: hintFor(error, message, command, example), cause: error });
}

/** @param example a complete line for the command, shown if something is missing. */
function hintFor({ code }: CommanderError, message: string, command: Command, example: string | undefined): string {
  const quoted = /'([^']*)'/.exec(message)?.[1] ?? "";
  const help = `See ${fullName(command)} --help.`;
  if (code === "commander.unknownOption") {
    const flags = [command, ...ancestors(command)]
      .flatMap(({ options }) => options.flatMap(({ long, short }) => [long, short]))
      .filter((flag) => typeof flag === "string");
    return didYouMean(nearest(quoted.split("=")[0]!, [...flags, "--help"])) ?? help;
  }
  if (code === "commander.unknownCommand") {
    if (/\.(ya?ml|json)$/i.test(quoted)) return `Did you mean '${fullName(command)} run ${quoted}'?`;
    return didYouMean(nearest(quoted, [...command.commands.map((child) => child.name()), "help"])) ?? help;
  }
  if (code === "commander.excessArguments" && command.options.some(({ long }) => long === "--set"))
    return `Give one configuration file, and a --set before each key=value. ${help}`;
  if (code === "commander.missingArgument" && typeof command.getOptionValue("matrix") === "string")
    return `--matrix took ${String(command.getOptionValue("matrix"))} as its metric: put it last, or write --matrix=loss.`;
  if (code === "commander.missingArgument" || code === "commander.missingMandatoryOptionValue")
    return example === undefined ? help : `For example: ${example}`;
  const { choices, given } = allowedChoices(message);
  if (choices !== undefined) return didYouMean(nearest(given, choices)) ?? help;
  return help;
}

function didYouMean(name: string | undefined): string | undefined {
  return name === undefined ? undefined : `Did you mean '${name}'?`;
}

function allowedChoices(message: string): { choices: string[] | undefined; given: string } {
  const match = /argument '([^']*)' is invalid\. Allowed choices are (.+)\.$/.exec(message);
  return { choices: match?.[2]!.split(", "), given: match?.[1] ?? "" };
}

function ancestors({ parent }: Command): Command[] {
  return parent === null ? [] : [parent, ...ancestors(parent)];
}

function fullName(command: Command): string {
  return [command, ...ancestors(command)]
    .reverse()
    .map((each) => each.name())
    .join(" ");
}
