export interface Cell {
  readonly text: string;
  /** Lowest and highest of the values that the text is the mean of. */
  readonly range?: string;
  /** The best of its column. */
  readonly best?: boolean;
}

/** A table, for a terminal or for Markdown. */
export interface Table {
  readonly title: string;
  readonly columns: readonly { readonly header: string; readonly right: boolean }[];
  readonly rows: readonly (readonly Cell[])[];
}

export interface Tables {
  readonly tables: readonly Table[];
  /** Explanations of the words in the tables. */
  readonly notes: readonly string[];
}
