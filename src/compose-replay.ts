/** Puts the real pipeline together in virtual time. */
import { Announcer } from './abandonment/announce.ts';
import { Looker } from './abandonment/look.ts';
import type { Observe } from './abandonment/observe.ts';
import { DEMOTION } from './abandonment/demotion.ts';
import { reconcile } from './abandonment/reconcile.ts';
import { type ReplayAgentTiers, composeReplayAgent } from './compose-replay-agent.ts';
import { openReport } from './compose-report.ts';
import { openWarmFile } from './compose-warm.ts';
import { lookSettings, openBus, openHot, openVirtualJobs } from './compose.ts';
import type { Config } from './config.ts';
import { DAY_MS } from './model/duration.ts';
import type { AnyEvent } from './model/event.ts';
import { profileOf } from './replay/profile.ts';
import type { ReplayAgent } from './replay/replay-agent.ts';
import { ReplayBook } from './replay/replay-book.ts';
import { Replay, type ReplayReport } from './replay/replay.ts';
import type { ShopEvent } from './replay/shop-event.ts';
import { Demoter } from './tiers/demote.ts';
import { Promoter } from './tiers/promote.ts';
import { VirtualClock } from './runtime/virtual-clock.ts';

/** A replay, connected; see `Replay`. */
export interface OpenReplay {
  run(
    events: AsyncIterable<ShopEvent>,
    onEvent: (event: AnyEvent) => unknown,
  ): Promise<ReplayReport>;
  /** Where the example agent takes part: itself, and the report of what became of the announcements. */
  readonly rescue: { readonly agent: ReplayAgent; readonly book: ReplayBook } | undefined;
  close(): Promise<void>;
}

export interface ReplayOptions {
  /** Lets the example agent act on what is announced, and gives visitors what it goes by; see `profileOf`. */
  readonly agent?: boolean;
}

/** A warm tier, and a report, that are gone when the replay ends. */
const IN_MEMORY = ':memory:';

/** How often a replay reconciles, in virtual time: often enough to be seen, seldom enough for a month in seconds. */
const REPLAY_RECONCILE_EVERY_MS = DAY_MS;

/** Puts the real pipeline together in virtual time. */
export async function composeReplay(
  config: Config,
  { agent: withAgent = false }: ReplayOptions = {},
): Promise<OpenReplay> {
  const clock = new VirtualClock();
  await using opening = new AsyncDisposableStack();
  const hot = await openHot(config, { clock });
  opening.defer(() => hot.close());
  const bus = await openBus(config);
  opening.defer(() => bus.close());
  let published = 0;
  const observe: Observe = (what) => {
    if (what === 'published') published += 1;
  };
  const settings = lookSettings(config, hot);
  const jobs = await openVirtualJobs(clock);
  jobs.register({ name: 'reconcile', everyMs: REPLAY_RECONCILE_EVERY_MS }, async (signal) => {
    await reconcile(hot, settings, observe, { fullSpeed: true, signal });
  });
  jobs.register({ name: 'housekeeping', everyMs: DAY_MS }, async () => {
    await bus.trim();
  });
  const fail = (user: string, error: unknown): never => {
    throw new Error(`the session of ${user} could not be judged`, { cause: error });
  };
  const warm = await openWarmFile(IN_MEMORY, clock);
  opening.defer(() => warm.close());
  const tiers = { ...hot, warm, jobs };
  const demoter = new Demoter(tiers, config);
  jobs.handle(
    { name: DEMOTION, concurrency: 1, perSecond: undefined, attempts: 1, backoffMs: 0 },
    async (user, signal) => {
      await demoter.demote(user, signal);
    },
  );
  const promoter = new Promoter(tiers, demoter, config);
  const looker = new Looker(tiers, new Announcer(bus, clock, observe), settings, observe, fail);
  const rescue = withAgent ? await openRescue({ ...hot, clock, warm }, config, opening) : undefined;
  const opened = opening.move();
  return {
    rescue,
    run: (events, onEvent) =>
      new Replay(
        {
          ...{ ...tiers, bus, looker, promoter, clock, hotTtlMs: config.hotTtlMs },
          ...(rescue && { agent: rescue.agent, profileOf }),
        },
        () => published,
        async (event) => {
          await rescue?.book.note(event);
          return onEvent(event);
        },
      ).run(events),
    close: () => opened.disposeAsync(),
  };
}

async function openRescue(
  tiers: ReplayAgentTiers,
  config: Config,
  opening: AsyncDisposableStack,
): Promise<NonNullable<OpenReplay['rescue']>> {
  const log = await openReport(config, IN_MEMORY);
  opening.defer(() => log.close());
  const agent = await composeReplayAgent(tiers, config);
  opening.defer(() => agent.close());
  return { agent, book: new ReplayBook(log) };
}
