import { streamKey } from './keys.ts';
import { luaText } from './lua-script.ts';

/** How a script of somebody else's, in the same Redis, puts events on the bus in the step in which it does its own. */
export interface Append {
  /** What the script is to include: see lua/append.include.lua. */
  readonly lua: string;
  readonly stream: string;
  /** How many events a consumer group may leave unsettled. */
  readonly cap: number;
}

/** @param prefix as that of the bus, and so the cap */
export function appendTo({
  prefix,
  cap,
}: {
  readonly prefix: string;
  readonly cap: number;
}): Append {
  return { lua: luaText('append.include.lua'), stream: streamKey(prefix), cap };
}
