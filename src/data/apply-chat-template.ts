import { UserError } from "../diagnostics/user-error.ts";
import { TemplateFault } from "../jinja/fault.ts";
import { type JinjaTemplate, parseTemplate, type Rendering } from "../jinja/template.ts";
import { asTemplateMessage, type Message } from "./messages.ts";
import type { TemplateContext } from "./rendered-record.ts";

/** Parsing takes longer than rendering, and every record renders. */
const parsed = new Map<string, JinjaTemplate>();

const OTHER_TEMPLATES = "Use the template alpaca, vicuna or none";

/**
 * Writes a conversation with the model's own template, as transformers' `apply_chat_template` does: with the same names
 * bound, `tools` and `documents` None where there are none, and a token that the tokenizer lacks undefined.
 *
 * @throws UserError("model") where there is no template, where it ends with an error, and for what is not supported.
 */
export function applyChatTemplate(
  messages: readonly Message[],
  addGenerationPrompt: boolean,
  context: TemplateContext,
): Rendering {
  const { bosToken, eosToken, specialTokens, variables } = context;
  const chatTemplate = chatTemplateFor(context);
  if (chatTemplate === undefined) {
    const where = "chat_template in tokenizer_config.json, or chat_template.jinja";
    const some = context.toolTemplate === undefined ? "" : " for conversations without tools";
    throw new UserError("model", `the model has no chat template${some} (${where})`, { hint: `${OTHER_TEMPLATES}.` });
  }
  try {
    let template = parsed.get(chatTemplate);
    if (template === undefined) parsed.set(chatTemplate, (template = parseTemplate(chatTemplate)));
    return template.render(
      {
        ...(specialTokens ?? { bos_token: bosToken, eos_token: eosToken }),
        tools: null,
        documents: null,
        ...variables,
        messages: messages.map(asTemplateMessage),
        add_generation_prompt: addGenerationPrompt,
      },
      { clock: () => new Date() },
    );
  } catch (cause) {
    throw cause instanceof TemplateFault ? explained(cause, messages) : cause;
  }
}

/** The template for a conversation: of several named ones `tool_use` where tools are given, as transformers chooses. */
export function chatTemplateFor({ chatTemplate, toolTemplate, variables }: TemplateContext): string | undefined {
  const hasTools = variables?.["tools"] !== undefined && variables["tools"] !== null;
  return hasTools && toolTemplate !== undefined ? toolTemplate : chatTemplate;
}

/** The fault of a template as an error that a person can act on. */
function explained(fault: TemplateFault, messages: readonly Message[]): UserError {
  const line = fault.line === undefined ? "" : `, line ${fault.line}`;
  if (fault.kind === "raised") {
    const roles = messages.map(({ role }) => role).join(", ");
    return new UserError("model", `the chat template refuses the turns ${roles} (${fault.message})`, {
      hint: `Use records with turns that the template allows. ${OTHER_TEMPLATES} for others.`,
      cause: fault,
    });
  }
  const problem = {
    error: "the chat template ends with an error, as it does in transformers",
    refused: "the chat template asks for what this program cannot do as Python does",
    limit: "the chat template takes too much work",
  }[fault.kind];
  return new UserError("model", `${problem} (${fault.message}${line})`, {
    hint: `${OTHER_TEMPLATES}, or correct chat_template.jinja.`,
    cause: fault,
  });
}
