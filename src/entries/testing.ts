/** `openfedllm/testing`: suites and slow twins that test a port's implementation. They need no test runner. */
export { exactDiscreteGaussian, type RandomBytes } from "../privacy/exact-discrete-gaussian.ts";
export { STORE_CONFORMANCE, type ConformanceCase } from "../store/conformance.ts";
export { memoryStore } from "../store/memory-store.ts";
export type { Store } from "../store/store.ts";
export { referenceRuntime } from "../train/reference-runtime.ts";
export type { Runtime, RuntimeSession, RuntimeTensor } from "../train/runtime.ts";
