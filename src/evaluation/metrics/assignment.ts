/**
 * Finds the largest sum of entries of a matrix [rows, columns], no two of one row or column: the value of an optimal assignment,
 * by shortest augmenting paths (Jonker & Volgenant 1987), in O(rows² · columns). Every row or column of the shorter side has an
 * entry in the sum. Entries are added in the order of rows.
 */
export function bestAssignment(scores: readonly (readonly number[])[]): number {
  const columns = scores[0]?.length ?? 0;
  const tall = scores.length > columns;
  const matrix = tall ? Array.from({ length: columns }, (_, j) => scores.map((row) => row[j]!)) : scores;
  const width = tall ? scores.length : columns;
  // Rows and columns count from 1; column 0 is where a path begins. `rowOf` 0: the column is free.
  const rowPrice = new Float64Array(matrix.length + 1);
  const columnPrice = new Float64Array(width + 1);
  const rowOf = new Int32Array(width + 1);
  for (let row = 1; row <= matrix.length; row++) {
    const slack = new Float64Array(width + 1).fill(Infinity);
    const before = new Int32Array(width + 1);
    const done = new Uint8Array(width + 1);
    rowOf[0] = row;
    let at = 0;
    while (rowOf[at] !== 0) {
      done[at] = 1;
      const from = rowOf[at]!;
      let [next, least] = [0, Infinity];
      for (let j = 1; j <= width; j++) {
        if (done[j] === 1) continue;
        const cost = -matrix[from - 1]![j - 1]! - rowPrice[from]! - columnPrice[j]!;
        if (cost < slack[j]!) [slack[j], before[j]] = [cost, at];
        if (slack[j]! < least) [least, next] = [slack[j]!, j];
      }
      for (let j = 0; j <= width; j++) {
        if (done[j] === 1) {
          rowPrice[rowOf[j]!]! += least;
          columnPrice[j]! -= least;
        } else slack[j]! -= least;
      }
      at = next;
    }
    for (; at !== 0; at = before[at]!) rowOf[at] = rowOf[before[at]!]!;
  }
  const values = new Float64Array(scores.length);
  for (let j = 1; j <= width; j++) {
    const row = rowOf[j]!;
    if (row > 0) values[tall ? j - 1 : row - 1] = matrix[row - 1]![j - 1]!;
  }
  return values.reduce((sum, value) => sum + value, 0);
}
