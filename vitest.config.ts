import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    // The native engine does not like worker threads: every test file gets a process.
    pool: "forks",
    // One less, the default, leaves half of a machine of two cores idle.
    maxWorkers: "100%",
    testTimeout: 60_000,
    // The clean-up of many folders waits for other work of the machine.
    hookTimeout: 120_000,
    globalSetup: "./test/support/temporary-root.ts",
  },
});
