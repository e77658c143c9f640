import { refuse } from "./fault.ts";

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];

/** `datetime.strftime` in the C locale, in local time. */
export function strftime(date: Date, format: string): string {
  return format.replace(/%([-#]?)([\s\S]?)/g, (_, flag: string, code: string) => {
    const text = part(date, code);
    if (text === undefined) return refuse(`%${flag}${code} of strftime_now`);
    return flag === "-" ? text.replace(/^[0 ]+(?=\d)/, "") : flag === "#" ? refuse("%# of strftime_now") : text;
  });
}

function part(date: Date, code: string): string | undefined {
  const two = (value: number): string => String(value).padStart(2, "0");
  const [year, month, day] = [date.getFullYear(), date.getMonth(), date.getDate()];
  const [hour, minute, second] = [date.getHours(), date.getMinutes(), date.getSeconds()];
  const inYear = Math.round((Date.UTC(year, month, day) - Date.UTC(year, 0, 1)) / 86_400_000);
  switch (code) {
    case "d":
      return two(day);
    case "e":
      return String(day).padStart(2, " ");
    case "m":
      return two(month + 1);
    case "y":
      return two(year % 100);
    case "Y":
      return String(year);
    case "B":
      return MONTHS[month]!;
    case "b":
    case "h":
      return MONTHS[month]!.slice(0, 3);
    case "A":
      return DAYS[date.getDay()]!;
    case "a":
      return DAYS[date.getDay()]!.slice(0, 3);
    case "w":
      return String(date.getDay());
    case "u":
      return String(date.getDay() || 7);
    case "j":
      return String(inYear + 1).padStart(3, "0");
    case "H":
      return two(hour);
    case "I":
      return two(hour % 12 || 12);
    case "p":
      return hour < 12 ? "AM" : "PM";
    case "M":
      return two(minute);
    case "S":
      return two(second);
    case "F":
      return `${year}-${two(month + 1)}-${two(day)}`;
    case "T":
      return `${two(hour)}:${two(minute)}:${two(second)}`;
    case "R":
      return `${two(hour)}:${two(minute)}`;
    case "D":
      return `${two(month + 1)}/${two(day)}/${two(year % 100)}`;
    case "%":
      return "%";
    case "n":
      return "\n";
    case "t":
      return "\t";
    default:
      return undefined;
  }
}
