import { hubSettings } from "../../node/hub/hub-settings.ts";
import { listPublished, publishFolder } from "../../node/hub/publish.ts";
import { type Command, defineCommand } from "../command.ts";
import { text, toggle } from "../flag.ts";
import { tableLines } from "../tables/table.ts";
import { counted, formatBytes } from "../views/quantities.ts";
import { withStatus } from "../work/work.ts";

export const command: Command = defineCommand({
  description:
    "Pushes a folder that `export` made to a model repository of the Hugging Face Hub, in one commit. Without --push it only shows what would be pushed. The access token is HF_TOKEN, or the file that huggingface_hub keeps.",
  argument: { placeholder: "<folder>", description: "folder with a model card (README.md)" },
  flags: {
    to: text("<org/name>", "repository; it is made where there is none").required(),
    push: toggle("push; otherwise nothing leaves this machine"),
    public: toggle("make a new repository public; default: private"),
  },
  examples: [
    ["npx openfedllm publish exports/quickstart-peft --to my-org/my-adapter", "show what would be pushed"],
    ["npx openfedllm publish exports/quickstart-peft --to my-org/my-adapter --push"],
  ],
  async run({ to, push, public: isPublic }, context, folder) {
    const { stdout, stderr } = context;
    const files = await listPublished(folder, to);
    const settings = hubSettings();
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    if (push !== true) {
      const rows = files.map((file) => [file.path, formatBytes(file.bytes)]);
      stdout.write(`${tableLines([{ header: "file" }, { header: "size" }], rows).join("\n")}\n`);
      const whose = isPublic === true ? "public" : "private";
      stderr.write(
        `would push ${counted(files.length, "file")}, ${formatBytes(bytes)}, to ${settings.endpoint}/${to} (${whose} if it is new). Add --push to do it.\n`,
      );
      return;
    }
    const address = await withStatus(context, ({ status, signal }) => {
      status.say(`pushing ${counted(files.length, "file")}, ${formatBytes(bytes)}, to ${to}`);
      return publishFolder(folder, to, files, {
        settings,
        isPrivate: isPublic !== true,
        onUpload: (arrived) => status.say(`pushing to ${to}: ${counted(arrived, "large file")} arrived`),
        signal,
      });
    });
    stdout.write(`${address}\n`);
  },
});
