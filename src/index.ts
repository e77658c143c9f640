/** `openfedllm`: the whole library, for Node. The command line uses the same functions. */
export * from "./entries/web.ts";
export * from "./entries/node.ts";
