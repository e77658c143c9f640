import { defineConfig } from "vitest/config";

/** Tests that take longer than a change can wait for; `npm run test:halves`. */
export default defineConfig({
  test: {
    include: ["test/long/**/*.long.ts"],
    pool: "forks",
    testTimeout: 3_600_000,
    hookTimeout: 600_000,
    globalSetup: "./test/support/temporary-root.ts",
  },
});
