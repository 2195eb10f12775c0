/** How a ledger stands in Redis: its version, itself, and the events that are not on the bus yet, in one text. */
import type { CartEvent } from '../../../model/event.ts';
import { type Ledger, type Note, decodeLedger, encodeLedger } from '../../../model/ledger.ts';
import { packEvent, unpackEvent } from '../../../model/packed-event.ts';
import type { SessionName } from '../../../model/session-names.ts';
import type { Reading } from '../../../ports/ledger.ts';

/** It begins with its version, so that a script compares it without understanding the rest. */
const VERSION_LENGTH = 8;

/** '' where there is no ledger. */
export function versionOf(stored: string | null): string {
  return stored?.slice(0, VERSION_LENGTH) ?? '';
}

/**
 * The ledger and, each on a line of its own, the events that are then pending: their ids stand before them for settle.lua.
 * @param notes those that the ledger has not taken in
 */
export function storedText(
  reading: Pick<Reading, 'version' | 'pending'>,
  ledger: Ledger,
  events: readonly CartEvent[],
  notes: readonly Note[] = [],
): string {
  let text = versionAfter(reading.version) + encodeLedger(ledger);
  for (const pending of [reading.pending, events])
    for (const event of pending) text += `\n${event.id} ${packEvent(event)}`;
  for (const note of notes) text += `\n${NOTE}${packNote(note)}`;
  return text;
}

/** Seven hex digits that a commit moves on, and one character that a strike does: see settle.lua. */
function versionAfter(version: string): string {
  const commits = Number.parseInt(version.slice(0, -1) || '0', 16);
  return `${((commits + 1) % 2 ** 28).toString(16).padStart(7, '0')}0`;
}

/** How a line begins that is no event; no id does. */
const NOTE = '+';

/** As note.lua is given it. */
export function packNote(note: Note): string {
  return JSON.stringify(note);
}

/** Undefined if somebody else wrote there. */
export function parseStored(
  name: SessionName,
  text: string,
): { ledger: Ledger; pending: CartEvent[]; notes: Note[] } | undefined {
  try {
    const ends = text.indexOf('\n');
    const ledger = decodeLedger(text.slice(VERSION_LENGTH, ends < 0 ? undefined : ends));
    if (!ledger || ends < 0) return ledger && { ledger, pending: [], notes: [] };
    const pending: CartEvent[] = [];
    const notes: Note[] = [];
    for (const line of text.slice(ends + 1).split('\n')) {
      const idEnds = line.indexOf(' ');
      if (line.startsWith(NOTE)) notes.push(JSON.parse(line.slice(NOTE.length)) as Note);
      else pending.push(unpackEvent(name, line.slice(0, idEnds), line.slice(idEnds)));
    }
    return { ledger, pending, notes };
  } catch {
    return undefined;
  }
}
