import { settingKeys } from "../../settings/json-schema.ts";
import { type Command, defineCommand } from "../command.ts";
import { bashScript } from "../completion/bash.ts";
import { fishScript } from "../completion/fish.ts";
import { completedOf } from "../completion/words.ts";
import { zshScript } from "../completion/zsh.ts";

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript };

export const command: Command = defineCommand({
  description:
    "Prints a script with which a shell completes commands, flags and their values, settings, run folders and files. The script starts no program.",
  argument: { placeholder: "<shell>", description: "bash, zsh or fish", choices: Object.keys(SCRIPTS) },
  flags: {},
  examples: [
    ["source <(openfedllm completion bash)", "in ~/.bashrc"],
    ["source <(openfedllm completion zsh)", "in ~/.zshrc, after compinit"],
    ["openfedllm completion fish | source", "in ~/.config/fish/config.fish"],
  ],
  async run(_flags, { stdout }, shell, program) {
    stdout.write(SCRIPTS[shell as keyof typeof SCRIPTS](completedOf(program, settingKeys())));
  },
});
