/** Three digits that mean something. */
export function rounded(value: number): string {
  return String(Number(value.toPrecision(3)));
}
