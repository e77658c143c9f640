import type { AnswerContent, TextContent } from "./answer.ts";
import type { PreferenceContent, RatedContent } from "./preference.ts";

/** The content of a record that can be learnt. */
export type Content = AnswerContent | TextContent | PreferenceContent | RatedContent;
