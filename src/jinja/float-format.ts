import { fixed, significant } from "./numbers.ts";

/**
 * Writes |value| as C's printf does with the type f, e, g or their capitals.
 *
 * @param alternate keeps the point and, for g, the zeros at the end.
 */
export function formatFloat(value: number, type: string, precision: number, alternate: boolean): string {
  const lower = type.toLowerCase();
  const text = Number.isFinite(value)
    ? finite(Math.abs(value), lower, precision, alternate)
    : Number.isNaN(value)
      ? "nan"
      : "inf";
  return type === lower ? text : text.toUpperCase();
}

function finite(value: number, type: string, precision: number, alternate: boolean): string {
  if (type === "f") return fixed(value, precision) + (alternate && precision === 0 ? "." : "");
  if (type === "e") return exponential(value, precision, alternate);
  const count = precision === 0 ? 1 : precision;
  const { power } = significant(value, count);
  if (power < -4 || power >= count) {
    const text = exponential(value, count - 1, alternate);
    return alternate ? text : text.replace(/\.?0*e/, "e");
  }
  const text = fixed(value, count - 1 - power);
  if (alternate) return text.includes(".") ? text : `${text}.`;
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

function exponential(value: number, precision: number, alternate: boolean): string {
  const { digits, power } = significant(value, precision + 1);
  const tail = precision > 0 ? `.${digits.slice(1)}` : alternate ? "." : "";
  return `${digits[0]!}${tail}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}
