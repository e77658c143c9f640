import type { Message } from "../../data/messages.ts";
import { TEMPLATES } from "../../data/template.ts";
import { contextOf } from "../../data/tokens.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { openTokenizer, stopTokensOf } from "../../decode/base-tokenizer.ts";
import { GGUF_FILE, writeModel } from "../gguf/gguf.ts";
import type { ExportSource, ExportTarget } from "../target.ts";
import { writeWhole } from "../target.ts";
import { findTurns, type Turns } from "./turns.ts";

/** A GGUF file and a Modelfile, with the chat template in Go's syntax. */
export const ollama: ExportTarget = {
  summary: "a GGUF file and a Modelfile with the chat template in Ollama's syntax",
  library: "gguf",
  dtypes: ["f16", "q8_0", "bf16", "f32"],
  loading: () => `\`\`\`sh
ollama create my-model -f FOLDER/Modelfile
ollama run my-model
\`\`\``,
  async write(source, folder, options) {
    // Before gigabytes are written.
    const content = modelfile(source, options.onNote);
    await writeModel(source, folder, options);
    await writeWhole(folder, "Modelfile", content);
  },
};

/** @throws UserError of kind `model` for a chat template that Ollama's syntax cannot say. */
function modelfile({ base }: ExportSource, onNote: (note: string) => void): string {
  const tokenizer = openTokenizer(base);
  const { bos, prefix } = tokenizer;
  const context = contextOf(tokenizer, {});
  const turns = withoutBos(
    findTurns((messages: readonly Message[]) => TEMPLATES.chat.prompt(messages, context), base.name),
    prefix.length > 0 ? bos?.text : undefined,
    base.name,
  );
  onNote(
    turns.system === undefined
      ? "note: the chat template knows no system message; Ollama leaves one out."
      : "note: a system message counts at the start of a conversation only.",
  );
  const stops = [...stopTokensOf(base, tokenizer)].map((id) => tokenizer.decode([id])).filter((text) => text !== "");
  return [
    `FROM ./${GGUF_FILE}`,
    `TEMPLATE """${goTemplate(turns)}"""`,
    ...stops.map((text) => `PARAMETER stop ${JSON.stringify(text)}`),
    "",
  ].join("\n");
}

/** Ollama puts BOS before a prompt where the file says so, and the template must not write it a second time. */
function withoutBos(turns: Turns, bos: string | undefined, where: string): Turns {
  if (bos === undefined) return turns;
  const cut = (text: string): string => {
    if (text.startsWith(bos)) return text.slice(bos.length);
    throw new UserError("model", `the chat template of ${where} begins without BOS, and Ollama puts BOS before it`, {
      hint: "Export with --to gguf.",
    });
  };
  const { head, system, user } = turns;
  // With an empty head, BOS would stand before each turn of the user.
  if (head === "") return { ...turns, user: { ...user, before: cut(user.before) } };
  return { ...turns, head: cut(head), ...(system && { system: { ...system, before: cut(system.before) } }) };
}

/** The turns in Go's text/template. All text is in string constants, so that no white space is lost. */
export function goTemplate({ head, system, user, assistant, end }: Turns): string {
  const text = (value: string): string => (value === "" ? "" : `{{ ${goString(value)} }}`);
  const first = "(index .Messages 0)";
  const opening =
    system === undefined
      ? text(head)
      : `{{ if eq ${first}.Role "system" }}${text(system.before)}{{ ${first}.Content }}${text(system.after)}{{ else }}${text(head)}{{ end }}`;
  const turn = ({ before, after }: Turns["user"]): string => `${text(before)}{{ .Content }}${text(after)}`;
  return `${opening}{{ range .Messages }}{{ if eq .Role "user" }}${turn(user)}{{ else if eq .Role "assistant" }}${turn(assistant)}{{ end }}{{ end }}${text(end)}`;
}

/** A string constant of Go. JSON's escapes are Go's too; a quotation mark is escaped so that no three end the Modelfile's text. */
function goString(value: string): string {
  return JSON.stringify(value).slice(1, -1).replaceAll('\\"', "\\x22").replace(/^|$/g, '"');
}
