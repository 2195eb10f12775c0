/** The forms in which settings are written: each reads a text, or says by throwing that it cannot. */
import { IANAZone } from 'luxon';
import ms from 'ms';
import { z } from 'zod';
import { nextByCron } from '../model/cron.ts';
import { DAY_MS } from '../model/duration.ts';

/** A form: what is accepted, in words for an error and for the table of settings, and how it is read. */
export interface Form<T> {
  readonly accepts: string;
  readonly schema: z.ZodType<T, string>;
  /** What is wrong with a text that deserves words of its own. */
  readonly refuses?: (text: string) => string | undefined;
}

/** Longer than anything we keep; also far below where sums of instants and durations lose precision. */
const LONGEST_MS = 3_650 * DAY_MS;

/** `ms` reads more ("1 week", "-3 min", a bare number); a setting has one spelling, so that a slip is seen. */
const durationMs = z
  .string()
  .regex(/^\d{1,12}(ms|s|m|h|d)$/)
  .transform((text) => ms(text as ms.StringValue))
  .pipe(z.number().max(LONGEST_MS));

/** A duration of at least `leastMs`. */
export function duration(leastMs: number): Form<number> {
  const least = leastMs > 1 ? `, at least ${ms(leastMs)}` : leastMs > 0 ? ', above zero' : '';
  return {
    accepts: `a duration such as 500ms, 90s, 30m, 20h or 7d${least}`,
    schema: durationMs.pipe(z.number().min(leastMs)),
  };
}

export const ascendingDurations: Form<readonly number[]> = {
  accepts: 'durations above zero, each longer than the one before, such as 30m,20h,72h',
  schema: z
    .string()
    .transform((text) => text.split(',').map((part) => part.trim()))
    .pipe(z.array(durationMs.pipe(z.number().positive())).min(1))
    .refine((all) => all.every((one, index) => index === 0 || one > (all[index - 1] ?? 0))),
};

const UNIT_BYTES = new Map([
  ['', 1],
  ['kib', 1024],
  ['mib', 1024 ** 2],
]);

export const bytes: Form<number> = {
  accepts: 'a size above zero such as 64KiB, 1MiB or 65536 (bytes)',
  schema: z
    .string()
    .regex(/^\d{1,9} ?(KiB|MiB)?$/i)
    .transform((text) => {
      const unit = text.replace(/^\d+ ?/, '').toLowerCase();
      return Number.parseInt(text, 10) * (UNIT_BYTES.get(unit) ?? 1);
    })
    .pipe(z.number().positive()),
};

export function wholeNumber(least: number, most: number): Form<number> {
  return {
    accepts: `a whole number from ${least} to ${most}`,
    schema: z
      .string()
      .regex(/^\d{1,15}$/)
      .transform(Number)
      .pipe(z.number().min(least).max(most)),
  };
}

export const amount: Form<number> = {
  accepts: 'an amount of money, zero or more, such as 0 or 19.90',
  schema: z
    .string()
    .regex(/^\d{1,12}(\.\d+)?$/)
    .transform(Number),
};

/** `true` and `false` in the spellings that deployments use. */
export const flag: Form<boolean> = {
  accepts: 'true or false',
  schema: z.stringbool({ truthy: ['true', '1', 'yes', 'on'], falsy: ['false', '0', 'no', 'off'] }),
};

export function oneOf<const T extends string>(...words: readonly [T, ...T[]]): Form<T> {
  return {
    accepts: words.length === 1 ? words[0] : `one of ${words.join(', ')}`,
    schema: z.string().toLowerCase().pipe(z.enum(words)),
  };
}

export const httpUrl: Form<string> = {
  accepts: 'an address such as https://NAME.HOST/',
  schema: z.string().refine((text) => /^https?:$/.test(URL.parse(text)?.protocol ?? '')),
};

export const text: Form<string> = { accepts: 'a text', schema: z.string() };

/** Minutes of the local day; `fromMinute` may be later than `toMinute`: over midnight. */
export interface LocalHours {
  readonly fromMinute: number;
  readonly toMinute: number;
}

const TIME_OF_DAY = '([01]?\\d|2[0-3]):([0-5]\\d)';

export const localHours: Form<LocalHours | undefined> = {
  accepts: 'two different local times such as 21:00-08:00, or off',
  schema: z.string().transform((text, context) => {
    if (text.toLowerCase() === 'off') return undefined;
    const match = new RegExp(`^${TIME_OF_DAY}\\s*-\\s*${TIME_OF_DAY}$`).exec(text);
    const [fromHour, fromMinute, toHour, toMinute] = (match ?? []).slice(1).map(Number);
    const hours = {
      fromMinute: (fromHour ?? 0) * 60 + (fromMinute ?? 0),
      toMinute: (toHour ?? 0) * 60 + (toMinute ?? 0),
    };
    // From 08:00 to 08:00 may mean never or always.
    if (match && hours.fromMinute !== hours.toMinute) return hours;
    context.addIssue('no local hours');
    return z.NEVER;
  }),
};

/** So many in so long. */
export interface Rate {
  readonly count: number;
  readonly windowMs: number;
}

export const rate: Form<Rate | undefined> = {
  accepts: 'how many in how long, such as 3/7d, or off',
  schema: z.string().transform((text, context) => {
    if (text.toLowerCase() === 'off') return undefined;
    const [, count, window] = /^(\d{1,6})\s*\/\s*(\w+)$/.exec(text) ?? [];
    const windowMs = durationMs.pipe(z.number().positive()).safeParse(window).data;
    if (windowMs !== undefined && Number(count) > 0) return { count: Number(count), windowMs };
    context.addIssue('no rate');
    return z.NEVER;
  }),
};

export function share(most: number): Form<number> {
  return {
    accepts: `a share from 0 to ${most}, such as 0.1`,
    schema: z
      .string()
      .regex(/^\d(\.\d{1,12})?$/)
      .transform(Number)
      .pipe(z.number().max(most)),
  };
}

/** Names are told apart without regard to case. */
export const durationsByName: Form<Readonly<Record<string, number>>> = {
  accepts: 'durations above zero by name, such as chat=24h,email=5d',
  schema: z
    .string()
    .transform((text) => text.split(',').map((part) => part.split('=').map((half) => half.trim())))
    .pipe(
      z.array(
        z.tuple([
          z
            .string()
            .regex(/^[a-z][\w.-]{0,63}$/i)
            .toLowerCase(),
          durationMs.pipe(z.number().positive()),
        ]),
      ),
    )
    .refine((pairs) => new Set(pairs.map(([name]) => name)).size === pairs.length)
    .transform((pairs) => Object.fromEntries(pairs)),
};

export const cron: Form<string> = {
  accepts: 'a cron expression of five fields such as "17 3 * * *"',
  schema: z
    .string()
    .regex(/^\S+( \S+){4}$/)
    .refine((text) => isCron(text)),
};

function isCron(text: string): boolean {
  try {
    nextByCron(text, 'UTC', 0);
    return true;
  } catch {
    return false;
  }
}

export const timezone: Form<string> = {
  accepts: 'an IANA time zone such as UTC or Europe/Berlin',
  schema: z.string().refine((name) => IANAZone.isValidZone(name)),
};

export const hostName: Form<string> = {
  accepts: 'a host name or an IP address',
  schema: z.string().regex(/^[^\s/@?#[\]]+$/),
};

export interface Address {
  readonly host: string;
  readonly port: number;
}

export const address: Form<Address | undefined> = {
  accepts: 'HOST:PORT such as 127.0.0.1:8787 or [::1]:8787, or off',
  schema: z.string().transform((text, context) => {
    if (text.toLowerCase() === 'off') return undefined;
    const match = /^(?:\[([\da-f:.]+)\]|([^\s:/[\]]+)):(\d{1,5})$/i.exec(text);
    const host = match?.[1] ?? match?.[2];
    const port = Number(match?.[3]);
    if (host !== undefined && port <= 65_535) return { host, port };
    context.addIssue('no address');
    return z.NEVER;
  }),
};

/** The name that all keys of ours start with; `:` may be part of it, glob signs and braces may not. */
export const keyPrefix: Form<string> = {
  accepts: '1 to 64 letters, digits and any of . _ - : with no : at its end',
  schema: z.string().regex(/^[\w.:-]{0,63}[\w.-]$/),
};

export const sessionKey: Form<string> = {
  accepts:
    'a key with exactly one <user_id> and a fixed text beside it, such as session:<user_id>; where one user has several sessions also one <session_id>, and a text between the two, such as session:<user_id>:<session_id>',
  schema: z.string().refine((template) => {
    const placeholders = (template.match(/<[^<>]*>/g) ?? []).toSorted().join();
    // Without a fixed text every key in Redis would be somebody's session.
    if (placeholders === '<user_id>') return template.trim() !== '<user_id>';
    // Without one between them nobody could tell where the one ends and the other begins.
    return placeholders === '<session_id>,<user_id>' && !template.includes('><');
  }),
};

export const noCluster: Form<boolean> = {
  ...flag,
  refuses: (text) =>
    flag.schema.safeParse(text).data === true
      ? 'Redis Cluster is not supported yet: use one server, or one with replicas'
      : undefined,
};

/** A service called "redis" makes Kubernetes set REDIS_PORT=tcp://… in every pod beside it. */
export const portNumber: Form<number> = {
  ...wholeNumber(1, 65_535),
  refuses: (text) =>
    text.startsWith('tcp://')
      ? 'Kubernetes set this for a service of that name: give REDIS_URL, or set enableServiceLinks: false'
      : undefined,
};
