import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    // The native engine does not like worker threads: every test file gets a process.
    pool: "forks",
    testTimeout: 60_000,
  },
});
