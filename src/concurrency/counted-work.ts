/** Work of which the whole amount is known. */
export interface CountedWork {
  /** Names the work, such as "tokenising". */
  readonly what: string;
  /** The things that are counted, in the plural. */
  readonly unit: string;
  readonly done: number;
  readonly of: number;
}

export type OnCount = (work: CountedWork) => void;
