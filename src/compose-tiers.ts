/** Puts together what is done to the tiers of one user at a time: resume and erase. */
import { DEMOTION } from './abandonment/demotion.ts';
import { openCold } from './compose-cold.ts';
import { openWarm } from './compose-warm.ts';
import { type Hot, openBus, openJobs } from './compose.ts';
import type { Config } from './config.ts';
import type { SessionRef } from './model/session-names.ts';
import type { ColdStore } from './ports/cold.ts';
import type { WarmStore } from './ports/warm.ts';
import { type Logger, silentLogger } from './runtime/logger.ts';
import { COMPACTION } from './tiers/compactor.ts';
import { Demoter } from './tiers/demote.ts';
import { type ErasureReport, erase } from './tiers/erase.ts';
import { Promoter, type ResumedFrom } from './tiers/promote.ts';

/** The tiers beside the hot one, connected. */
export interface Tiers extends AsyncDisposable {
  readonly warm: WarmStore;
  /** Opened when it is first asked for: nobody who comes back waits for it, or fails with it. */
  openCold(): Promise<ColdStore>;
  /** See `Promoter.resume`. */
  resume(ref: string, at: number): Promise<ResumedFrom>;
  /** See `Promoter.latestOf`. */
  latestOf(user: string): Promise<SessionRef | undefined>;
  /** See `erase`. */
  erase(user: string): Promise<ErasureReport>;
}

/** Opens the tiers beside the hot one, which stays the caller's. */
export async function openTiers(
  config: Config,
  hot: Hot,
  log: Logger = silentLogger,
): Promise<Tiers> {
  await using opening = new AsyncDisposableStack();
  const warm = await openWarm(config, hot.clock);
  opening.defer(() => warm.close());
  let cold: Promise<ColdStore> | undefined;
  const openColdOnce = (): Promise<ColdStore> => {
    cold ??= openCold(config, hot.clock).catch((error: unknown) => {
      cold = undefined;
      throw error;
    });
    return cold;
  };
  opening.defer(async () => (await cold)?.close());
  const ports = { ...hot, warm };
  const promoter = new Promoter(ports, new Demoter(ports, config), config);
  const opened = opening.move();
  return {
    warm,
    openCold: openColdOnce,
    resume: (ref, at) => promoter.resume(ref, at),
    latestOf: (user) => promoter.latestOf(user),
    erase: async (user) => {
      // Only here: whoever never erases has no connection to queues and bus.
      await using needed = new AsyncDisposableStack();
      const jobs = await openJobs(config, log);
      needed.defer(() => jobs.stop(AbortSignal.abort()));
      const bus = await openBus(config, log);
      needed.defer(() => bus.close());
      const { tombstoneTtlMs, prefix } = config;
      const settings = { tombstoneTtlMs, prefix, queues: [DEMOTION, COMPACTION] };
      return await erase(user, { ...ports, cold: await openColdOnce(), jobs, bus }, settings);
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
