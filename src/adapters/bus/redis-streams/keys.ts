/** The keys of one consumer group beside the stream. The scripts derive `held` and `dead` in the same way (lua/behind.include.lua). */
export interface GroupKeys {
  readonly stream: string;
  /** Sorted set: entries that were delivered before, by the instant from which anybody may take them. */
  readonly held: string;
  /** Hash: the attempts and the event of each entry in `held`. */
  readonly bodies: string;
  /** Stream: dead letters. */
  readonly dead: string;
}

export function streamKey(prefix: string): string {
  return `${prefix}:events`;
}

export function groupKeys(stream: string, group: string): GroupKeys {
  const own = `${stream}:${group}`;
  return { stream, held: `${own}:held`, bodies: `${own}:held:bodies`, dead: `${own}:dead` };
}
