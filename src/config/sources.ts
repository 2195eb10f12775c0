import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { closest } from 'fastest-levenshtein';
import { UsageError, errorMessage } from '../model/errors.ts';

/** Where a setting's text came from; a later one wins. */
export type Source = 'default' | '.env' | 'environment' | 'flag';

export interface GivenText {
  readonly text: string;
  readonly source: Exclude<Source, 'default'>;
}

export interface Sources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A file of NAME=value lines that may be absent; undefined: none is read. */
  readonly envFile: string | undefined;
  /** What the command line parser gave; names that are no setting's are its own business. */
  readonly flags: Readonly<Record<string, unknown>>;
}

const RANK: readonly Source[] = ['default', '.env', 'environment', 'flag'];

const OURS = 'REKINDLE_';

/**
 * Names that look like ours and are not: Kubernetes tells every pod of a service called "rekindle" by
 * REKINDLE_PORT=tcp://… and its like, and REKINDLE_TEST_* name the real services that suites may run against.
 */
const NOT_OURS =
  /^REKINDLE_(TEST_.*|(.*_)?SERVICE_(HOST|PORT(_.*)?)|(.*_)?PORT_\d+_(TCP|UDP|SCTP)(_.*)?)$/;

function isForOthers(name: string, value: unknown): boolean {
  return NOT_OURS.test(name) || (name.endsWith('_PORT') && /^(tcp|udp|sctp):/.test(String(value)));
}

/** The flag of a setting: REKINDLE_COOLDOWN is --cooldown, REDIS_URL is --redis-url. */
export function flagOf(name: string): string {
  return name.replace(OURS, '').toLowerCase().replaceAll('_', '-');
}

/** Every text that was given for one of `names`, and what is wrong with the rest. An empty text is as good as none. */
export function gatherTexts(
  names: readonly string[],
  { env, envFile, flags }: Sources,
): { readonly texts: ReadonlyMap<string, GivenText>; readonly mistakes: string[] } {
  const texts = new Map<string, GivenText>();
  const mistakes: string[] = [];
  const take = (values: Readonly<Record<string, unknown>>, source: GivenText['source']): void => {
    for (const name of names) {
      const value = values[name];
      if (typeof value === 'string' && value.trim() !== '')
        texts.set(name, { text: value, source });
    }
    for (const [name, value] of Object.entries(values)) {
      if (name.startsWith(OURS) && !names.includes(name) && !isForOthers(name, value)) {
        mistakes.push(`${name} (${source}) is no setting: did you mean ${closest(name, names)}?`);
      }
    }
  };
  take(envFile === undefined ? {} : readEnvFile(envFile), '.env');
  take(env, 'environment');
  take(namedByFlags(names, flags), 'flag');
  chooseConnection(texts);
  return { texts, mistakes };
}

/**
 * REDIS_URL and REDIS_HOST with its companions are two ways to say one thing: the one from the later source counts,
 * the URL where both come from the same; the other is not even read.
 */
function chooseConnection(texts: Map<string, GivenText>): void {
  const url = texts.get('REDIS_URL');
  const host = texts.get('REDIS_HOST');
  if (!url) return;
  const hostIsLater = host && RANK.indexOf(host.source) > RANK.indexOf(url.source);
  const unread = hostIsLater
    ? ['REDIS_URL']
    : ['REDIS_HOST', 'REDIS_PORT', 'REDIS_DB', 'REDIS_SSL'];
  for (const name of unread) texts.delete(name);
}

function readEnvFile(path: string): NodeJS.Dict<string> {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new UsageError(`the settings in ${path} cannot be read: ${errorMessage(error)}`, {
      cause: error,
    });
  }
  return parseEnv(content);
}

/** Parsers of command lines give `--redis-url` as redisUrl or as it stands; a flag without a value is true. */
function namedByFlags(
  names: readonly string[],
  flags: Readonly<Record<string, unknown>>,
): Record<string, string> {
  const nameOf = new Map(names.map((name) => [flagOf(name), name]));
  const named: Record<string, string> = {};
  for (const [key, value] of Object.entries(flags)) {
    const name = nameOf.get(key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`));
    if (name !== undefined && ['string', 'number', 'boolean'].includes(typeof value)) {
      named[name] = String(value);
    }
  }
  return named;
}
