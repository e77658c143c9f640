/** `openfedllm/node`: files, the Hub, ONNX Runtime and the HTTP server. */
import type { Plugin } from "../plugins/plugin.ts";
export { loadAdapter, saveAdapter } from "../node/model/adapter-files.ts";
export { readConfigFile } from "../node/config-file.ts";
export { serveOpenAi, type HttpServer, type ServeOptions } from "../node/http-server.ts";
export { directoryStore } from "../node/store/directory-store.ts";
export { openHub, type Hub, type HubOptions } from "../node/hub/hub.ts";
export type { Snapshot } from "../node/hub/hub-snapshot.ts";
export { openJudgements } from "../node/store/judgement-file.ts";
export { openModel } from "../node/model/model-source.ts";
export { onnxRuntime } from "../node/onnx-runtime.ts";
export { nodePlatform } from "../node/platform.ts";
export { loadPlugin } from "../node/plugin-file.ts";
export { openRunFolder } from "../node/run-folder.ts";
export { readStoredRuns } from "../node/store/stored-runs.ts";
export { readSweepFile } from "../node/sweep-file.ts";

/** The default export of a plugin's file: a function from the library to a plugin. */
export type PluginModule = (library: typeof import("./web.ts")) => Plugin | Promise<Plugin>;
