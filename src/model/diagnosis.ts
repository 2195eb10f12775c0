/** What was found out about a store that the settings name. */
export interface Diagnosis {
  /** `refuse`: the daemon would lose something with it, or could not work at all. */
  readonly level: 'ok' | 'warn' | 'refuse';
  readonly what: string;
  /** What to do about it. */
  readonly change?: string;
}
