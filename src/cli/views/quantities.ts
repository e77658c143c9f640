const MISSING = "–";

function two(value: number): string {
  return String(Math.floor(value)).padStart(2, "0");
}

/** `4.1s`, `41s`, `12m 05s`, `3h 07m`, `2d 03h`. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return MISSING;
  if (seconds < 9.95) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)}h ${two((whole % 3600) / 60)}m`;
  return `${Math.floor(whole / 86_400)}d ${two((whole % 86_400) / 3600)}h`;
}

/** A loss in nats per token with three decimals. JSON has no NaN, so a loss from a file can be null. */
export function formatLoss(loss: number | null | undefined): string {
  if (loss === null || loss === undefined || Number.isNaN(loss)) return MISSING;
  return Math.abs(loss) < 1000 ? loss.toFixed(3) : loss.toExponential(2);
}

/** The training loss of a round that is over; undefined where its clients keep their figures. */
export function trainLossText(loss: number | null | undefined): string {
  return loss === undefined ? "not sent" : formatLoss(loss);
}

/** A metric's name for people: `macro F1` for `macroF1`. */
export function metricName(name: string): string {
  return name.replace(/[A-Z]/, (letter) => ` ${letter === "F" ? letter : letter.toLowerCase()}`);
}

/** Writes accuracies and F1 as percentages, rewards and margins as numbers. */
export function formatMetric(name: string, value: number): string {
  if (!Number.isFinite(value)) return MISSING;
  return /accuracy|F1$/.test(name) ? `${(100 * value).toFixed(1)}%` : value.toFixed(3);
}

/** The relative change from `before` to `after`: `-19.0%`, `+0.4%`. */
export function formatChange(before: number, after: number): string {
  const change = (after - before) / before;
  if (!Number.isFinite(change)) return MISSING;
  const percent = (change * 100).toFixed(1);
  return `${percent.startsWith("-") || percent === "0.0" ? "" : "+"}${percent === "-0.0" ? "0.0" : percent}%`;
}

export function formatCount(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}

/** A number with three digits: `0.0123`, `4.5`, `1,234`, `∞`. */
export function formatThreeDigits(value: number): string {
  if (!Number.isFinite(value)) return "∞";
  return value >= 1000 ? formatCount(value) : String(Number(value.toPrecision(3)));
}

/** ε with two decimals, or with three digits where it is large. */
export function formatEpsilon(epsilon: number): string {
  return epsilon < 1000 ? epsilon.toFixed(2) : formatThreeDigits(epsilon);
}

/** A count and its noun, in the plural if needed: `1 client`, `4 clients`. */
export function counted(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** The rounds that are done: `3 rounds`, `2 of 3 rounds`. */
export function roundsText(done: number, planned: number | undefined): string {
  return done === planned || planned === undefined ? counted(done, "round") : `${done} of ${counted(planned, "round")}`;
}

/** `before training`, `after round 3` */
export function roundText(round: number): string {
  return round === 0 ? "before training" : `after round ${round}`;
}

export function formatLearningRate(rate: number): string {
  return rate.toExponential(1);
}

export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 99.5 ? value.toFixed(0) : value.toFixed(1)} ${units[unit]}`;
}

/** The bytes of a run as a share of what they were in float32: ` (12.7% of float32)`; nothing where all travels as it is. */
export function shareOfFloat32({ bytesUp, bytesDown, ledger }: SentBytes): string {
  if (ledger === undefined) return "";
  const share = (100 * (bytesUp + bytesDown)) / (ledger.upFloat32 + ledger.downFloat32);
  return Number.isFinite(share) ? ` (${share < 10 ? share.toFixed(2) : share.toFixed(1)}% of float32)` : "";
}

interface SentBytes {
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly ledger?: { readonly upFloat32: number; readonly downFloat32: number } | undefined;
}
