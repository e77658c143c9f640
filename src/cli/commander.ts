import { Argument as Positional, Command as Program, CommanderError, Help, Option } from "commander";
import type { Command, CommandContext, Example } from "./command.ts";
import { isAdvanced, nonBlank } from "./flag.ts";
import { commandLines } from "./shell.ts";
import { usageError } from "./usage-error.ts";

export interface ProgramContext {
  readonly context: CommandContext;
  /** True for complete help (`--help-all`). */
  readonly helpAll: boolean;
}

/** A word before several commands. */
export interface Group {
  readonly summary: string;
  readonly description: string;
  readonly examples: readonly Example[];
}

/** Adds a group to the program, without its commands. Alone it shows its help. */
export function addGroup(
  program: Program,
  { name, summary, description, examples }: Group & { readonly name: string },
  options: ProgramContext,
): Program {
  const added = program.command(name).summary(summary).description(description);
  configure(added, options, examples[0]?.[0]);
  return added.addHelpText("after", examplesHelp(examples, helpWidth(options.context)));
}

/** Adds a command to the program, or to a group. A command that is not loaded has only a name and a summary. */
export function addCommand(
  program: Program,
  {
    name,
    summary,
    command,
  }: { readonly name: string; readonly summary: string; readonly command?: Command | undefined },
  options: ProgramContext,
): void {
  const { context, helpAll } = options;
  const added = program.command(name).summary(summary);
  configure(added, options, command?.examples[0]?.[0]);
  if (command === undefined) return;
  const { description, argument, flags, moreHelp, examples, run } = command;
  added.description(description);
  if (argument !== undefined) added.addArgument(positional(argument));
  for (const [key, flag] of Object.entries(flags)) added.addOption(flag.option(key));
  if (moreHelp !== undefined) added.addHelpText("after", () => moreHelp(helpWidth(context), helpAll));
  added.addHelpText("after", examplesHelp(examples, helpWidth(context)));
  added.action(async (...given: unknown[]) => {
    // Commander gives the argument, if there is one, before the values of the flags.
    const [values, value] = argument === undefined ? [given[0]] : [given[1], given[0]];
    await run(values as never, context, value as never, rootOf(added));
  });
}

function rootOf(command: Program): Program {
  return command.parent === null ? command : rootOf(command.parent);
}

function positional({ placeholder, description, choices }: NonNullable<Command["argument"]>): Positional {
  const argument = new Positional(placeholder, description);
  if (choices !== undefined) return argument.choices(choices);
  return argument.variadic ? argument : argument.argParser(nonBlank);
}

/** Sets up help, output and errors of the program and its commands. */
export function configure(command: Program, { context, helpAll }: ProgramContext, example?: string): void {
  const { stdout, stderr } = context;
  const isShown = (option: Option): boolean => helpAll || !isAdvanced(option);
  command
    .showSuggestionAfterError(false)
    .helpCommand(false)
    .configureHelp({
      showGlobalOptions: true,
      helpWidth: helpWidth(context),
      subcommandTerm: (each) => each.name(),
      visibleOptions: (each) => [
        ...each.options.filter(isShown),
        ...(each.parent === null ? [new Option("-h, --help", "show the common commands and options")] : []),
      ],
      optionDescription: (option) => new Help().optionDescription(option) + (option.mandatory ? " (required)" : ""),
      visibleGlobalOptions: (each) =>
        rootOptions(each).filter((option) => option.long !== "--version" && isShown(option)),
    })
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      outputError: () => {},
    })
    .exitOverride((error) => {
      // A group alone has shown its help.
      const isMistake = error instanceof CommanderError && error.exitCode !== 0 && error.code !== "commander.help";
      throw isMistake ? usageError(error, command, example) : error;
    });
}

/** The options of the program, for a command; none for the program itself. */
function rootOptions({ parent }: Program): readonly Option[] {
  if (parent === null) return [];
  return parent.parent === null ? parent.options : rootOptions(parent);
}

/** Command lines to copy. Their purposes stand in a column or, if that is too wide, above them. */
export function examplesHelp(examples: readonly Example[], columns: number): string {
  const longest = Math.max(...examples.map(([line, purpose]) => (purpose === undefined ? 0 : line.length)));
  const wide = examples.some(([, purpose = ""]) => longest + purpose.length + 6 > columns);
  const lines = examples.flatMap(([line, purpose]) => {
    if (purpose !== undefined && !wide) return [`${line.padEnd(longest)}  # ${purpose}`];
    return [
      ...(purpose === undefined ? [] : [`# ${purpose}`]),
      ...commandLines(line.split(/ (?=--?[a-zA-Z])/), columns - 4),
    ];
  });
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}

export function helpWidth({ stdout }: CommandContext): number {
  return Math.min(stdout.columns() ?? 100, 110);
}
