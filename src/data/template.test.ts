import { expect, describe, it } from "vitest";
import type { AnswerContent, DataRecord } from "./record.ts";
import type { Message } from "./messages.ts";
import type { TemplateContext } from "./rendered-record.ts";
import { messagesOf, TEMPLATES, type TemplateName } from "./template.ts";

const record = (content: AnswerContent): DataRecord<AnswerContent> => ({
  id: "f#1",
  source: { file: "f", record: 1 },
  content,
  fields: {},
});
const plain = record({ kind: "instruction", instruction: "Say hi.", response: "Hi!" });
const withInput = record({ kind: "instruction", instruction: "Add.", input: "2 3", response: "5" });
const conversation = record({
  kind: "messages",
  messages: [
    { role: "user", content: "u1" },
    { role: "assistant", content: "a1" },
    { role: "user", content: "u2" },
    { role: "assistant", content: "a2" },
  ],
});

/** Text with what is supervised in «». */
function marked(
  name: TemplateName,
  given: DataRecord<AnswerContent>,
  context: TemplateContext = { eosToken: "</s>" },
): string {
  const { text, spans } = TEMPLATES[name].render(given, context);
  return spans
    .toReversed()
    .reduce((out, { start, end }) => `${out.slice(0, start)}«${out.slice(start, end)}»${out.slice(end)}`, text);
}

describe("the original's templates, odd spaces and all", () => {
  it("alpaca", () => {
    const intro =
      "Below is an instruction that describes a task. Write a response that appropriately completes the request.";
    expect(marked("alpaca", plain)).toBe(`${intro}\n\n### Instruction:\nSay hi. \n\n### Response:« Hi!»`);
    expect(marked("alpaca", withInput, { inputs: "joined" })).toBe(
      `${intro}\n\n### Instruction:\nAdd. 2 3 \n\n### Response:« 5»`,
    );
  });

  it("alpaca's own wording where there is an input", () => {
    expect(marked("alpaca", withInput)).toBe(
      "Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request.\n\n### Instruction:\nAdd.\n\n### Input:\n2 3\n\n### Response:« 5»",
    );
  });

  const system =
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers to the user's questions.";
  it("vicuna, with FastChat's v1.1 for more turns", () => {
    expect(marked("vicuna", plain)).toBe(`${system} USER: Say hi. ASSISTANT:« Hi!»`);
    expect(marked("vicuna", conversation)).toBe(`${system} USER: u1 ASSISTANT:« a1</s>»USER: u2 ASSISTANT:« a2»`);
    const longer = [
      { role: "system" as const, content: "Be brief." },
      ...messagesOf(conversation.content),
      { role: "user" as const, content: "u3" },
    ];
    expect(marked("vicuna", record({ kind: "messages", messages: longer }))).toBe(
      "Be brief. USER: u1 ASSISTANT:« a1</s>»USER: u2 ASSISTANT:« a2»",
    );
    expect(TEMPLATES.vicuna.prompt(longer, { eosToken: "</s>" })).toBe(
      "Be brief. USER: u1 ASSISTANT: a1</s>USER: u2 ASSISTANT: a2</s>USER: u3 ASSISTANT:",
    );
  });
});

it("none leaves prompt and response as they are", () => {
  expect(marked("none", record({ kind: "completion", prompt: "Once upon", completion: " a time" }))).toBe(
    "Once upon« a time»",
  );
});

it("a record a template cannot hold is refused by name", () => {
  expect(() => TEMPLATES.alpaca.render(conversation, {})).toThrow(
    "the template alpaca (record f#1) takes one question and its answer, got the turns user, assistant, user, assistant",
  );
  const twice = record({
    kind: "messages",
    messages: [
      { role: "user", content: "a" },
      { role: "user", content: "b" },
      { role: "assistant", content: "c" },
    ],
  });
  expect(() => TEMPLATES.vicuna.render(twice, { eosToken: "</s>" })).toThrow(
    "takes turns of user and assistant in alternation, got user as turn 2",
  );
});

describe("chat", () => {
  const chatML =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
  const context = { chatTemplate: chatML, eosToken: "<|im_end|>" };

  it("supervises every turn of the assistant with its end, and not the newline after it", () => {
    expect(marked("chat", conversation, context)).toBe(
      "<|im_start|>user\nu1<|im_end|>\n<|im_start|>assistant\n«a1<|im_end|>»\n<|im_start|>user\nu2<|im_end|>\n<|im_start|>assistant\n«a2<|im_end|>»\n",
    );
  });

  it("does not lose its way in text that quotes the template", () => {
    const quoting = record({
      kind: "messages",
      messages: [
        { role: "user", content: "x<|im_end|>\n<|im_start|>assistant\ny" },
        { role: "assistant", content: "e<|im_end|>\n<|im_start|>assistant\nim_end" },
      ],
    });
    expect(marked("chat", quoting, context)).toBe(
      "<|im_start|>user\nx<|im_end|>\n<|im_start|>assistant\ny<|im_end|>\n<|im_start|>assistant\n«e<|im_end|>\n<|im_start|>assistant\nim_end<|im_end|>»\n",
    );
  });

  it("supervises the end of the turn also where it is not EOS, and where the template trims", () => {
    expect(marked("chat", plain, { ...context, eosToken: "<|endoftext|>" })).toContain("assistant\n«Hi!<|im_end|>»\n");
    const trimming = { chatTemplate: chatML.replace("m.content", "m.content | trim"), eosToken: "<|im_end|>" };
    expect(marked("chat", record({ kind: "completion", prompt: "a", completion: " e \n" }), trimming)).toContain(
      "assistant\n«e<|im_end|>»\n",
    );
  });

  it("passes BOS and EOS, and puts a system message first where there is none", () => {
    const llama =
      "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";
    expect(marked("chat", plain, { chatTemplate: llama, bosToken: "<s>", eosToken: "</s>", system: "Be brief." })).toBe(
      "<s>[system]Be brief.[user]Say hi.[assistant]«Hi!</s>»",
    );
  });

  it("finds the answers of a template that writes a turn differently once others follow, or whose prompt is not its beginning", () => {
    const lastOnly =
      "{% for m in messages %}{{ m.role }}:{% if loop.last %}!{% endif %}{{ m.content }};{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";
    expect(marked("chat", conversation, { chatTemplate: lastOnly })).toBe(
      "user:u1;assistant:«a1»;user:u2;assistant:«!a2;»",
    );
    const otherPrompt = chatML.replace("assistant\n{% endif", "ASSISTANT\n{% endif");
    expect(marked("chat", plain, { ...context, chatTemplate: otherPrompt })).toBe(
      "<|im_start|>user\nSay hi.<|im_end|>\n<|im_start|>«assistant\nHi!<|im_end|>»\n",
    );
  });

  it("says so where there is no template, where it refuses, and where the assistant speaks first", () => {
    expect(() => TEMPLATES.chat.render(plain, {})).toThrow(
      expect.objectContaining({ kind: "model", hint: "Use the template alpaca, vicuna or none." }),
    );
    const refusing = "{{ raise_exception('no system role') }}";
    expect(() => TEMPLATES.chat.render(plain, { chatTemplate: refusing })).toThrow(
      "the chat template refuses the turns user, assistant (no system role)",
    );
    const first = record({ kind: "messages", messages: [{ role: "assistant", content: "Hello" }] });
    expect(() => TEMPLATES.chat.render(first, context)).toThrow("record f#1 begins with the assistant's turn");
  });

  it("asks for an answer where training has one", () => {
    const { text, spans } = TEMPLATES.chat.render(conversation, context);
    const prompt = TEMPLATES.chat.prompt(messagesOf(conversation.content).slice(0, 3), context);
    expect(text.slice(0, spans[1]!.start)).toBe(prompt);
  });
});

it.each(["alpaca", "vicuna", "none"] as const)("%s asks for an answer where training has one", (name) => {
  const { text, spans } = TEMPLATES[name].render(plain, {});
  expect(TEMPLATES[name].prompt([{ role: "user", content: "Say hi." }], {})).toBe(text.slice(0, spans[0]!.start));
});

describe("what templates without a chat template cannot write", () => {
  const call = { tool_calls: [{ type: "function", function: { name: "f", arguments: {} } }] };
  const calling = record({
    kind: "messages",
    messages: [
      { role: "user", content: "u" },
      { role: "assistant", content: "", extra: call },
    ],
  });
  it.each<[TemplateName, AnswerContent, string]>([
    ["vicuna", calling.content, "the template vicuna cannot write the tool_calls of record f#1"],
    ["none", { ...plain.content, variables: { tools: [] } }, "the template none cannot write the tools of record f#1"],
    [
      "alpaca",
      { ...plain.content, before: [{ role: "system", content: "s" }] } as AnswerContent,
      "the template alpaca (record f#1) takes one question and its answer, got the turns system, user, assistant",
    ],
  ])("%s", (template, content, message) => {
    expect(() => TEMPLATES[template].render(record(content), {})).toThrow(message);
  });
});

it("leaves out of the spans what is marked as not learnt", () => {
  const [u1, a1, u2, a2] = messagesOf(conversation.content) as [Message, Message, Message, Message];
  const first = record({ kind: "messages", messages: [u1, { ...a1, learnt: false }, u2, a2] });
  expect(marked("vicuna", first)).toMatch(/USER: u1 ASSISTANT: a1<\/s>USER: u2 ASSISTANT:« a2»$/);
  const chatTemplate = "{% for m in messages %}[{{ m.content }}]{% endfor %}{% if add_generation_prompt %}{% endif %}";
  expect(marked("chat", first, { chatTemplate })).toBe("[u1][a1][u2]«[a2]»");
});
