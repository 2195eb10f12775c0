export interface ForeignLoad {
  readonly url: string;
  readonly perSecond: number;
  readonly seconds: number;
  /** Of the users that are there already every `step`-th, so many. */
  readonly known: { readonly step: number; readonly count: number };
  /** Users that nobody has seen before. */
  readonly fresh: number;
}

/** Whom the load is about: those known first. */
export function foreignUsers({ known, fresh }: Pick<ForeignLoad, 'known' | 'fresh'>): string[] {
  return [
    ...Array.from({ length: known.count }, (_none, index) => userId('user', index * known.step)),
    ...Array.from({ length: fresh }, (_none, index) => userId('anew', index)),
  ];
}

function userId(kind: string, index: number): string {
  return `${kind}${String(index).padStart(8, '0')}`;
}
