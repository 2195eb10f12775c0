/** An entry of a stream as Redis gives it: id, and fields and values in turn; nil if it was deleted meanwhile. */
export type RawEntry = readonly [id: string, fields: readonly string[] | null];

export function fieldOf(fields: readonly string[], name: string): string | undefined {
  for (let i = 0; i + 1 < fields.length; i += 2) if (fields[i] === name) return fields[i + 1];
  return undefined;
}
