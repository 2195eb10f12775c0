import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { BullmqJobs } from '../../src/adapters/jobs/bullmq/bullmq-jobs.ts';
import { DEMOTION } from '../../src/abandonment/demotion.ts';
import { openCold } from '../../src/compose-cold.ts';
import { loadConfig } from '../../src/config.ts';
import { DAY_MS, HOUR_MS } from '../../src/model/duration.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { ColdKind } from '../../src/ports/cold.ts';
import type { WarmStore } from '../../src/ports/warm.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { parseTranscript } from '../../src/tiers/cold-records.ts';
import { COMPACTION } from '../../src/tiers/compactor.ts';
import { insightsOf } from '../../src/tiers/current-insights.ts';
import { everyText } from '../support/every-text.ts';
import { type MoverKillPoint, type MoverPlan, MoverProcess } from '../support/mover-process.ts';
import { testRedis } from '../support/redis-server.ts';
import { HOT_TTL_MS, TierWorld } from '../support/tier-world.ts';
import { SHIRT } from '../support/watched-user.ts';

const USER = 'ann~the user';
const SAID = ['1', '2', '3', '4', '5'];
/** Too long for one batch with others: so segments and header are written in turn. */
const LONG = 'a long word '.repeat(50_000);
const LOCK_MS = 500;

/** Tiers with nothing in them, and the settings that lead there. */
export interface TierPlace extends AsyncDisposable {
  readonly settings: Readonly<Record<string, string>>;
  readonly openWarm: (clock: Clock) => WarmStore;
}

/** What holds of warm and cold wherever they lie, whoever is killed. Call it at the top of a test file. */
export function tierCrashes(name: string, open: () => Promise<TierPlace>): void {
  const redis = testRedis();
  let tiers: TierPlace;
  let world: TierWorld;
  let jobs: BullmqJobs;
  let movers: MoverProcess[];

  beforeEach(async () => {
    tiers = await open();
    const { openWarm } = tiers;
    world = new TierWorld(redis, { warm: openWarm });
    jobs = new BullmqJobs({
      url: redis.url,
      prefix: `${redis.prefix}jobs`,
      log: silentLogger,
      lockMs: LOCK_MS,
    });
    movers = [];
    for (const id of SAID) await world.says(USER, id, id === '5' ? { content: LONG } : {});
    await world.library.updateCart(USER, [SHIRT], { language: 'hi' });
    world.outage(HOT_TTL_MS);
    while ((await world.looker.lookOnce()).users > 0);
  });

  afterEach(async () => {
    await Promise.all(movers.map((mover) => mover.kill()));
    await jobs.stop(AbortSignal.abort());
    await world[Symbol.asyncDispose]();
    await tiers[Symbol.asyncDispose]();
  });

  function mover(task: MoverPlan['task'], killPoint?: MoverKillPoint): MoverProcess {
    const started = new MoverProcess(
      {
        task,
        user: USER,
        now: world.now,
        hotTtlMs: HOT_TTL_MS,
        url: redis.url,
        prefix: redis.prefix,
        tiers: tiers.settings,
        lockMs: LOCK_MS,
      },
      killPoint,
    );
    movers.push(started);
    return started;
  }

  const hash = (): Promise<Record<string, string>> =>
    world.hot.raw.hgetall(world.hot.keys.session(USER));

  /** The texts themselves, byte for byte. */
  async function texts(): Promise<string[]> {
    const { raw, keys } = world.hot;
    return [...(await raw.lrange(keys.overflow(USER))), ...(await raw.lrange(keys.messages(USER)))];
  }

  interface Gap extends MoverKillPoint {
    readonly name: string;
    /** What stands in warm then. */
    readonly warm: readonly string[];
    readonly headers: number;
    readonly hotStands: boolean;
  }

  describe(`${name}: a demoter that is killed`, () => {
    const gaps: readonly Gap[] = [
      {
        name: 'snapshot and segments',
        when: 'after',
        call: 'records.snapshot',
        nth: 1,
        warm: [],
        headers: 0,
        hotStands: true,
      },
      {
        name: 'one segment and the next',
        when: 'after',
        call: 'warm.put',
        nth: 1,
        warm: SAID.slice(0, 4),
        headers: 0,
        hotStands: true,
      },
      {
        name: 'segments and header',
        when: 'after',
        call: 'warm.put',
        nth: 2,
        warm: SAID,
        headers: 0,
        hotStands: true,
      },
      {
        name: 'header and comparing what stands',
        when: 'after',
        call: 'warm.put',
        nth: 3,
        warm: SAID,
        headers: 1,
        hotStands: true,
      },
      {
        name: 'comparing and deleting hot',
        when: 'before',
        call: 'records.sink',
        nth: 1,
        warm: SAID,
        headers: 1,
        hotStands: true,
      },
      {
        name: 'deleting hot and the end of its job',
        when: 'after',
        call: 'records.sink',
        nth: 1,
        warm: SAID,
        headers: 1,
        hotStands: false,
      },
    ];

    test.each(gaps)(
      'between $name loses nothing; another process takes its job over and writes nothing twice',
      async ({ warm, headers, hotStands, when, call, nth }) => {
        const said = await texts();
        const fields = await hash();
        await jobs.add(DEMOTION, [USER]);
        const doomed = mover('demote', { when, call, nth });
        expect(await doomed.exited()).toBe('SIGKILL');
        expect(doomed.said).toEqual(['struck down']);
        expect(await world.inWarm(USER)).toEqual(warm);
        expect(await world.headers(USER)).toHaveLength(headers);
        expect(await hash()).toEqual(hotStands ? fields : {});
        expect(await texts()).toEqual(hotStands ? said : []);

        const next = mover('demote');
        await vi.waitFor(
          () => {
            expect(next.said).toHaveLength(1);
          },
          { timeout: 30_000, interval: 20 },
        );
        const left = SAID.length - warm.length;
        expect(next.said).toEqual([hotStands ? `sunk ${left}` : 'nothing 0']);
        expect(await hash()).toEqual({});
        expect(await texts()).toEqual([]);
        expect(await world.rawsInWarm(USER)).toEqual(said);
        expect(await world.headers(USER)).toMatchObject([
          { messages: 5, language: 'hi', cart_items: 1 },
        ]);
      },
    );
  });

  describe(`${name}: a compactor that is killed`, () => {
    const gaps: readonly (MoverKillPoint & { name: string; cold: readonly number[] })[] = [
      { name: 'sealing and the transcript', when: 'after', call: 'warm.put', nth: 1, cold: [0, 0] },
      { name: 'transcript and record', when: 'after', call: 'cold.put', nth: 1, cold: [1, 0] },
      { name: 'record and `current`', when: 'after', call: 'cold.put', nth: 2, cold: [1, 1] },
      {
        name: '`current` and header',
        when: 'after',
        call: 'cold.putCurrent',
        nth: 1,
        cold: [1, 1],
      },
      { name: 'header and removing', when: 'before', call: 'warm.remove', nth: 1, cold: [1, 1] },
      { name: 'removing and its end', when: 'after', call: 'warm.remove', nth: 1, cold: [1, 1] },
    ];

    test.each(gaps)(
      'between $name loses nothing; another process takes its job over and learns nothing twice',
      async ({ when, call, nth, cold: stands }) => {
        const said = await texts();
        await world.demoter.demote(USER);
        // Nobody closes the episode of the cart: after so long it is not waited for any more.
        world.outage(31 * DAY_MS);
        await jobs.add(COMPACTION, [USER]);
        const doomed = mover('compact', { when, call, nth });
        expect(await doomed.exited()).toBe('SIGKILL');
        const gone = call === 'warm.remove' && when === 'after';
        expect(await world.rawsInWarm(USER)).toEqual(gone ? [] : said);
        const cold = await openCold(loadConfig(tiers.settings), world.clock);
        const names = async (kind: ColdKind): Promise<readonly string[]> =>
          cold.names(USER, kind, { limit: 10 });
        expect(
          [await names('transcripts'), await names('insights')].map((all) => all.length),
        ).toEqual(stands);

        const next = mover('compact');
        await vi.waitFor(
          () => {
            expect(next.said).toHaveLength(1);
          },
          { timeout: 30_000, interval: 20 },
        );
        expect(next.said).toEqual([gone ? 'compacted 0 0' : 'compacted 1 5']);
        expect(await world.rawsInWarm(USER)).toEqual([]);
        expect(await names('insights')).toEqual(await names('transcripts'));
        const [name = ''] = await names('transcripts');
        const text = (await cold.get(USER, 'transcripts', name)) ?? '';
        expect(parseTranscript(name, text).messages.map(({ raw }) => raw)).toEqual(said);
        expect(await insightsOf(cold, USER)).toMatchObject([{ conversations: [name] }]);
        await cold.close();
      },
    );
  });

  describe(`${name}: an erasure that is killed`, () => {
    const gaps: readonly (MoverKillPoint & { name: string })[] = [
      { name: 'the first and the second tombstone', when: 'after', call: 'records.erase', nth: 1 },
      { name: 'hot and warm', when: 'before', call: 'warm.erase', nth: 1 },
      { name: 'warm and cold', when: 'after', call: 'warm.erase', nth: 1 },
      { name: 'cold and the queue', when: 'after', call: 'cold.erase', nth: 1 },
      { name: 'the queue and its subscribers', when: 'before', call: 'bus.publish', nth: 1 },
      { name: 'its subscribers and the scan', when: 'after', call: 'bus.publish', nth: 1 },
    ];

    test.each(gaps)(
      'between $name brings nobody back, and is completed by the next one',
      async ({ when, call, nth }) => {
        await world.demoter.demote(USER);
        await world.says(USER, '6');
        world.outage(HOUR_MS);
        await jobs.add(DEMOTION, [USER]);
        expect(await mover('erase', { when, call, nth }).exited()).toBe('SIGKILL');
        // Whoever comes late finds nothing to take, and nothing to bring back.
        expect(await world.demoter.demote(USER)).toMatchObject({ outcome: 'nothing' });
        expect(await world.promoter.resume(USER, world.now)).toBe('nothing');
        expect(await texts()).toEqual([]);
        expect(await hash()).toEqual({});

        world.outage(HOUR_MS);
        const next = mover('erase');
        expect(await next.exited()).toBe(0);
        const remains = JSON.parse(next.said[0] ?? '') as Record<string, number>;
        expect(new Set(Object.values(remains))).toEqual(new Set([0]));
        expect(await world.warm.count(USER)).toBe(0);
        // But the bus: there it stands until all that listen have heard of it.
        const but = [world.hot.keys.tombstones, `${redis.prefix}:events`];
        const named = await everyText(world.client, but);
        expect(named.filter((text) => text.includes(USER))).toEqual([]);
      },
    );
  });
}
