import { expect, test } from "vitest";
import { originIn } from "./apply-setting.ts";

test("the origin of a setting is the last --set that changed it, or else the file", () => {
  const settings = ["training.localSteps=5", "data.fields={ a: b }", "training.localSteps=x", "model=null"];
  const origin = originIn("my.yaml", settings);
  expect(origin(["training", "localSteps"])).toBe("--set training.localSteps=x");
  expect(origin(["data", "fields", "a"])).toBe("--set data.fields={ a: b }");
  expect(origin(["model", "base"])).toBe("--set model=null");
  expect(origin(["training", "local"])).toBe("my.yaml");
  expect(origin(["training"])).toBe("--set training.localSteps=x");
  expect(originIn("my.yaml", ["data.clients.1.name=a"])(["data", "clients", 1, "name"])).toBe(
    "--set data.clients.1.name=a",
  );
});

test("a mistake in several settings is of the file, with --set if there is one", () => {
  expect(originIn("my.yaml", [])(undefined)).toBe("my.yaml");
  expect(originIn("my.yaml", ["seed=1"])(undefined)).toBe("my.yaml with --set");
});
