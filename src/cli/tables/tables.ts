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

/** A table of plain texts. The first `texts` columns are on the left, those of figures on the right. */
export function textTable(
  title: string,
  headers: readonly string[],
  rows: readonly (readonly string[])[],
  texts = 1,
): Table {
  return {
    title,
    columns: headers.map((header, i) => ({ header, right: i >= texts })),
    rows: rows.map((row) => row.map((text) => ({ text }))),
  };
}

export interface Tables {
  readonly tables: readonly Table[];
  /** Explanations of the words in the tables. */
  readonly notes: readonly string[];
}
