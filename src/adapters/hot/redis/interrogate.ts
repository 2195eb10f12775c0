import type { Redis } from 'ioredis';
import type { Diagnosis } from '../../../model/diagnosis.ts';

/** ZADD LT, ZMSCORE, COPY and LPOP with a count came with it. */
const OLDEST_VERSION = [6, 2] as const;

/** Keyspace events of hash, list, string and generic commands: what other programs touch sessions with. */
export const NOTIFY_FLAGS = 'Kghl$';

/** Asks a Redis what it is and how it is set up. Commands that a managed service forbids are taken as unanswered. */
export async function interrogate(redis: Redis): Promise<Diagnosis[]> {
  const info = parseInfo(await redis.info());
  const settings = await configOf(redis, 'save', 'notify-keyspace-events', 'maxmemory-policy');
  return [
    version(info.get('redis_version') ?? ''),
    cluster(info.get('cluster_enabled')),
    eviction(settings.get('maxmemory-policy') ?? info.get('maxmemory_policy')),
    persistence(info.get('aof_enabled'), settings.get('save')),
    notifications(settings.get('notify-keyspace-events')),
  ];
}

/** Asks the Redis of the job queues, where it is another. */
export async function interrogateQueues(redis: Redis): Promise<Diagnosis[]> {
  const info = parseInfo(await redis.info());
  const settings = await configOf(redis, 'save');
  return about('job queues', [
    eviction(info.get('maxmemory_policy')),
    persistence(info.get('aof_enabled'), settings.get('save'), QUEUES_LOSE),
  ]);
}

/** Asks the Redis of the event bus, where it is another. Nothing of the bus has a TTL, so `volatile-*` evicts none of it. */
export async function interrogateBus(redis: Redis): Promise<Diagnosis[]> {
  const info = parseInfo(await redis.info());
  const settings = await configOf(redis, 'save', 'maxmemory-policy');
  const policy = settings.get('maxmemory-policy') ?? info.get('maxmemory_policy');
  const evicts = eviction(policy);
  return about('event bus', [
    version(info.get('redis_version') ?? ''),
    cluster(info.get('cluster_enabled'), 'REKINDLE_BUS_REDIS_URL'),
    evicts.level === 'warn' ? { level: 'ok', what: `maxmemory-policy is ${policy}` } : evicts,
    persistence(info.get('aof_enabled'), settings.get('save'), BUS_LOSES),
  ]);
}

/** Says of which part the findings are. */
export function about(part: string, findings: readonly Diagnosis[]): Diagnosis[] {
  return findings.map((finding) => ({ ...finding, what: `${part}: ${finding.what}` }));
}

function parseInfo(text: string): Map<string, string> {
  return new Map(text.split('\r\n').map((line) => line.split(':', 2) as [string, string]));
}

async function configOf(redis: Redis, ...names: readonly string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const name of names) {
    try {
      const [, value] = await redis.config('GET', name);
      if (value !== undefined) found.set(name, value);
    } catch {
      // Managed services forbid CONFIG; what it would say is then unknown.
    }
  }
  return found;
}

function version(text: string): Diagnosis {
  const [major = 0, minor = 0] = text.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_VERSION;
  const old = major < oldestMajor || (major === oldestMajor && minor < oldestMinor);
  return old
    ? {
        level: 'refuse',
        what: `Redis ${text} is too old`,
        change: `use Redis ${OLDEST_VERSION.join('.')} or newer`,
      }
    : { level: 'ok', what: `Redis ${text}` };
}

function cluster(enabled: string | undefined, setting = 'REDIS_URL'): Diagnosis {
  return enabled === '1'
    ? {
        level: 'refuse',
        what: "this Redis is a cluster, which is not supported yet: one user's keys would lie on different nodes",
        change: `point ${setting} at a single server or a primary with replicas`,
      }
    : { level: 'ok', what: 'not a cluster' };
}

function eviction(policy: string | undefined): Diagnosis {
  if (policy?.startsWith('allkeys')) {
    return {
      level: 'refuse',
      what: `maxmemory-policy is ${policy}: Redis may drop the agenda, ledgers, queues or events without a word`,
      change: 'CONFIG SET maxmemory-policy noeviction',
    };
  }
  if (policy?.startsWith('volatile')) {
    return {
      level: 'warn',
      what: `maxmemory-policy is ${policy}: at the memory limit Redis may drop sessions and ledgers, which have a TTL`,
      change: 'CONFIG SET maxmemory-policy noeviction',
    };
  }
  return { level: 'ok', what: `maxmemory-policy is ${policy ?? 'unknown'}` };
}

/** What a restart of Redis takes, by what it keeps. */
interface Losses {
  readonly keepsNothing: string;
  readonly keepsSnapshots: string;
}

const ALL_LOSES: Losses = {
  keepsNothing: 'loses sessions, ledgers and events that no subscriber has read',
  keepsSnapshots: 'loses what came since the last one',
};

/** The ledgers, elsewhere, have struck what the bus had taken: it is not sent again. */
const BUS_LOSES: Losses = {
  keepsNothing: 'loses events that no subscriber has read, for good',
  keepsSnapshots: 'loses what came since the last one, for good',
};

/** The ledgers, elsewhere, say what was queued and when: after an hour without a trace of it, it is queued again. */
const QUEUES_LOSE: Losses = {
  keepsNothing: 'loses queued demotions, which are then made up to an hour late, and dead letters',
  keepsSnapshots:
    'loses demotions queued since the last one, which are then made up to an hour late',
};

function persistence(
  appendOnly: string | undefined,
  save: string | undefined,
  losses = ALL_LOSES,
): Diagnosis {
  if (appendOnly === '1') return { level: 'ok', what: 'the append-only file is on' };
  if (save === '') {
    return {
      level: 'warn',
      what: `nothing is persisted: a restart of Redis ${losses.keepsNothing}`,
      change: 'CONFIG SET appendonly yes',
    };
  }
  return {
    level: 'warn',
    what: `only snapshots are persisted: a restart of Redis ${losses.keepsSnapshots}`,
    change: 'CONFIG SET appendonly yes',
  };
}

function notifications(flags: string | undefined): Diagnosis {
  if (flags === undefined)
    return { level: 'ok', what: 'notify-keyspace-events cannot be asked; a probe tells' };
  const all = flags.includes('A');
  const missing = Array.from(NOTIFY_FLAGS).filter(
    (flag) => !(flags.includes(flag) || (all && flag !== 'K')),
  );
  return missing.length === 0
    ? { level: 'ok', what: `notify-keyspace-events is ${flags}` }
    : {
        level: 'warn',
        what: `notify-keyspace-events is '${flags}': what other programs write is noticed by reconcile alone, up to REKINDLE_RECONCILE_EVERY late`,
        change: `CONFIG SET notify-keyspace-events ${NOTIFY_FLAGS}`,
      };
}
