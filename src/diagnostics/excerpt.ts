/**
 * Cuts a text of unknown length for a message: at most `most` characters, the last of which then is an ellipsis. It cuts no
 * character in two.
 */
export function excerpt(text: string, most = 80): string {
  if (text.length <= most) return text;
  const end = most - 1;
  const half = text.charCodeAt(end - 1);
  return `${text.slice(0, half >= 0xd800 && half < 0xdc00 ? end - 1 : end)}…`;
}
