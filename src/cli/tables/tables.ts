export interface Cell {
  readonly text: string;
  /** The lowest and the highest of what the text is the mean of. */
  readonly range?: string;
  /** The best of its column. */
  readonly best?: boolean;
}

/** A table, to be written for a terminal or as Markdown. */
export interface Table {
  readonly title: string;
  readonly columns: readonly { readonly header: string; readonly right: boolean }[];
  readonly rows: readonly (readonly Cell[])[];
}

export interface Tables {
  readonly tables: readonly Table[];
  /** What the tables' words mean, as far as they occur. */
  readonly notes: readonly string[];
}
