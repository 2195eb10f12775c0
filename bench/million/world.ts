import type { Bench } from '../harness.ts';
import type { Pipeline } from '../pipeline.ts';
import type { SlowCommands } from '../slow-commands.ts';
import { type WatcherOptions, WatcherProcess } from '../watcher-process.ts';
import { foreignUsers } from './foreign-load.ts';

/** What the phases of the measurement share. */
export interface World {
  readonly bench: Bench;
  readonly pipeline: Pipeline;
  readonly slow: SlowCommands;
}

/** The load of other programs, as many of the users as there may be. */
export function foreignLoad({ sessions, server }: Bench) {
  const count = Math.min(45_000, sessions);
  return {
    url: server.url,
    perSecond: 20_000,
    seconds: 20,
    known: { step: Math.floor(sessions / count), count },
    fresh: 5_000,
  };
}

/** Every second one of those whom others write to: announced when they come back, and waiting for a later stage. */
export function announcedUsers(bench: Bench): string[] {
  const { known } = foreignLoad(bench);
  return foreignUsers({ known, fresh: 0 }).filter((_user, index) => index % 2 === 0);
}

/** How long nothing but noise may be heard of something that is waited for. */
export const PATIENCE_MS = 15 * 60_000;

/** A daemon as it is shipped, with its warnings told. */
export function startWatcher({ server }: Bench, onTrouble?: WatcherOptions['onTrouble']) {
  return WatcherProcess.start({
    settings: { REDIS_URL: server.url },
    ...(onTrouble && { onTrouble }),
  });
}
