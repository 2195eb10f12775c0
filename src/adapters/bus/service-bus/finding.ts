/** What was looked at, and whether it will do. */
export interface Finding {
  readonly level: 'ok' | 'warn' | 'refuse';
  readonly what: string;
  /** What would make it well. */
  readonly change?: string;
}
