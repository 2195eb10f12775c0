/** What goes wrong with a send: nothing, it is refused, it is never answered, or the connection goes before or after it was taken. */
export type SendFault =
  | { readonly refuse: string; readonly description?: string }
  | 'none'
  | 'drop'
  | 'cut-before'
  | 'cut-after';

/** What a test has ordered to go wrong. */
export class Faults {
  /** What becomes of the next sends, one each. */
  readonly sends: SendFault[] = [];
  /** Every send is refused as too much until this instant. */
  busyUntil = 0;

  nextSend(): SendFault | undefined {
    if (Date.now() < this.busyUntil)
      return { refuse: 'com.microsoft:server-busy', description: 'The server is busy.' };
    return this.sends.shift();
  }

  clear(): void {
    this.sends.length = 0;
    this.busyUntil = 0;
  }
}
