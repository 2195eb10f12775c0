/** What a user opted out of, and when. */
export interface OptOut {
  /** All channels; NaN: nobody knows when, for somebody spoilt it. */
  readonly at: number | undefined;
  /** Single channels, in lower case. */
  readonly of: ReadonlyMap<string, number> | undefined;
}

const NONE: OptOut = { at: undefined, of: undefined };

/** `instant` of all channels, or `-`, then `;channel=instant` of each single one, as write.lua keeps it. */
export function parseOptOut(text: string | undefined): OptOut {
  if (text === undefined) return NONE;
  if (!text.includes(';')) return { at: instantOf(text), of: undefined };
  const [all = '', ...channels] = text.split(';');
  const of = new Map(
    channels.map((one) => {
      const [channel = '', at = ''] = one.split('=');
      return [channel, instantOf(at)];
    }),
  );
  return { at: all === '-' ? undefined : instantOf(all), of };
}

function instantOf(text: string): number {
  return text === '' ? Number.NaN : Number(text);
}
