export type Decode = (tokens: readonly number[]) => string;

/**
 * Decodes tokens as what they add to the text after another token: tokenizers such as LLaMA-2's drop a space at the start of a
 * text, but not after a token. Where the text of both does not begin with that of the first, `alone` decodes the tokens.
 */
export function decodeAfter(before: number, decode: Decode, alone: Decode = decode): Decode {
  const lead = decode([before]);
  return (tokens) => {
    const whole = decode([before, ...tokens]);
    return whole.startsWith(lead) ? whole.slice(lead.length) : alone(tokens);
  };
}
