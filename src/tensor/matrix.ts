/** A dense row-major matrix in float64: `data[i * columns + j]`. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

export function zeroMatrix(rows: number, columns: number): Matrix {
  return { rows, columns, data: new Float64Array(rows * columns) };
}

export function transpose({ rows, columns, data }: Matrix): Matrix {
  const result = zeroMatrix(columns, rows);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) result.data[j * rows + i] = data[i * columns + j]!;
  return result;
}

/** `a · b`. Sums go by the inner index, in order. */
export function multiply(a: Matrix, b: Matrix): Matrix {
  if (a.columns !== b.rows) throw new Error(`${a.rows} × ${a.columns} times ${b.rows} × ${b.columns}`);
  const result = zeroMatrix(a.rows, b.columns);
  const { data } = result;
  for (let i = 0; i < a.rows; i++) {
    for (let k = 0; k < a.columns; k++) {
      const x = a.data[i * a.columns + k]!;
      if (x === 0) continue;
      for (let j = 0; j < b.columns; j++) data[i * b.columns + j]! += x * b.data[k * b.columns + j]!;
    }
  }
  return result;
}
