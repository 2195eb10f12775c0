import ms from 'ms';
import type { z } from 'zod';
import { composeRedisUrl, maskCredentials, maskUrl } from './config/redis-url.ts';
import { DEFAULT_REDIS_URL, SETTINGS, type Setting } from './config/settings.ts';
import {
  type GivenText,
  type Source,
  type Sources,
  flagOf,
  gatherTexts,
} from './config/sources.ts';
import { UsageError } from './model/errors.ts';

type Settings = typeof SETTINGS;
type Values = { [K in keyof Settings]: z.output<Settings[K]['schema']> };
type ConnectionPart =
  | 'redisHost'
  | 'redisPort'
  | 'redisDb'
  | 'redisUsername'
  | 'redisPassword'
  | 'redisSsl'
  | 'redisCluster'
  | 'cosmosEndpoint';

/** The settings in force. Durations are milliseconds where the name says so; frozen to the last leaf. */
export type Config = Readonly<
  Omit<Values, ConnectionPart | 'redisUrl' | 'queueRedisUrl' | 'busRedisUrl'>
> & {
  /** Credentials included: never log it. */
  readonly redisUrl: string;
  /** The same as `redisUrl` unless set apart. Credentials included. */
  readonly queueRedisUrl: string;
  /** The same as `redisUrl` unless set apart. Credentials included. */
  readonly busRedisUrl: string;
  /** Whoever shows these credentials to Redis, where its URL holds no password and REDIS_AUTH=entra. */
  readonly redisUsername: string | undefined;
  /** Where secrets come from a vault: the settings with those that hold now, renewed while anybody listens. */
  readonly renewed?: RenewedConfig | undefined;
};

/** Settings whose secrets are replaced while we run. */
export interface RenewedConfig {
  current(): Config;
  /** @returns what ends it */
  onChange(listener: () => void): () => void;
}

export interface ConfigOptions {
  /** A file of NAME=value lines; absent is fine. Default: none. */
  readonly envFile?: string;
  /** Flags of the same names: `--cooldown 7d`, or `cooldown: '7d'`. */
  readonly flags?: Readonly<Record<string, unknown>>;
  /** What the vault holds, by the names that the settings give with `keyvault:NAME`. */
  readonly secrets?: ReadonlyMap<string, string>;
}

/**
 * Reads the settings: a flag wins over the environment, that over the file, that over the default.
 * @throws UsageError naming every mistake: unknown names, texts that cannot be read, settings that contradict
 */
export function loadConfig(env: Sources['env'] = process.env, options: ConfigOptions = {}): Config {
  const { config, references } = read(env, options);
  const unknown = references.find((name) => !options.secrets?.has(name));
  if (unknown !== undefined)
    throw new UsageError(`the settings take ${unknown} from a vault, which was not asked for it`);
  return config;
}

/** What is in force and where it comes from, one row a setting; credentials are masked. */
export function describeConfig(
  env: Sources['env'] = process.env,
  options: ConfigOptions = {},
): ConfigRow[] {
  const { config, texts } = read(env, options);
  const connectionBy = texts.get('REDIS_URL') ?? texts.get('REDIS_HOST');
  return Object.values(SETTINGS).map((one: Setting<unknown>) => {
    const { name } = one;
    const given = texts.get(name);
    // What is in force may be put together from several settings.
    if (name === 'REDIS_URL') {
      return {
        name,
        value: REFERENCE.test(config.redisUrl) ? config.redisUrl : maskUrl(config.redisUrl),
        source: connectionBy?.source ?? 'default',
      };
    }
    const text = given?.text.trim() ?? one.default;
    const value = text === undefined || REFERENCE.test(text) ? text : shown(one, text);
    return {
      name,
      value: value ?? '',
      source: given?.source ?? 'default',
    };
  });
}

export interface ConfigRow {
  readonly name: string;
  readonly value: string;
  readonly source: Source;
}

/** Every setting with its flag, default and meaning: what the README shows. */
export function settingsTable(): SettingRow[] {
  return Object.values(SETTINGS).map(({ name, default: defaultText, means, accepts }) => ({
    name,
    flag: `--${flagOf(name)}`,
    default: defaultText ?? '',
    means,
    accepts,
  }));
}

export interface SettingRow {
  readonly name: string;
  readonly flag: string;
  /** Empty where nothing is set. */
  readonly default: string;
  readonly means: string;
  readonly accepts: string;
}

/** What settings take from a vault. */
export interface VaultReferences {
  /** Names of secrets, each once. */
  readonly names: readonly string[];
  readonly vaultUrl: string | undefined;
  readonly everyMs: number;
}

/** Which secrets the settings take from a vault, and which vault that is. @throws as `loadConfig` does */
export function vaultReferences(
  env: Sources['env'] = process.env,
  options: ConfigOptions = {},
): VaultReferences {
  const { config, references } = read(env, options);
  const { keyVaultUrl: vaultUrl, secretsEveryMs: everyMs } = config;
  return { names: [...new Set(references)], vaultUrl, everyMs };
}

/** As Key Vault names secrets. */
const REFERENCE = /^keyvault:([\dA-Za-z-]{1,127})$/;

function read(
  env: Sources['env'],
  { envFile, flags = {}, secrets }: ConfigOptions,
): {
  readonly config: Config;
  readonly texts: ReadonlyMap<string, GivenText>;
  readonly references: readonly string[];
} {
  const names = Object.values(SETTINGS).map(({ name }) => name);
  const { texts, mistakes } = gatherTexts(names, { env, envFile, flags });
  const references: string[] = [];
  const entries = Object.entries(SETTINGS).map(([key, one]: [string, Setting<unknown>]) => {
    const given = texts.get(one.name);
    const name = one.secret === 'no' ? undefined : REFERENCE.exec(given?.text.trim() ?? '')?.[1];
    if (!given || name === undefined) return [key, readOne(one, given, mistakes)];
    references.push(name);
    const text = secrets?.get(name);
    // Whoever only describes the settings does not ask the vault.
    if (text === undefined) return [key, given.text.trim()];
    return [key, readOne(one, { ...given, text }, mistakes)];
  });
  if (mistakes.length === 0)
    mistakes.push(...contradictions(Object.fromEntries(entries) as Values));
  if (mistakes.length > 0) throw new UsageError(mistakes.join('\n'));
  return { config: freeze(assemble(Object.fromEntries(entries) as Values)), texts, references };
}

function readOne(one: Setting<unknown>, given: GivenText | undefined, mistakes: string[]): unknown {
  const written = given?.text ?? one.default;
  if (written === undefined) return undefined;
  // A blank at either end of a password may be meant.
  const text = one.secret === 'whole' ? written : written.trim();
  const refusal = one.refuses?.(text);
  const parsed = one.schema.safeParse(text);
  if (parsed.success && refusal === undefined) return parsed.data;
  const where = `${one.name}=${shown(one, text)} (${given?.source ?? 'default'})`;
  mistakes.push(`${where}: ${refusal ?? `cannot be read: give ${one.accepts}`}`);
  return undefined;
}

/** No line of a terminal is longer than this shows. */
const SHOWN_MAX = 120;

/** Whatever the setting, a URL's credentials are not shown: people put values under wrong names. */
function shown({ secret }: Setting<unknown>, text: string): string {
  if (secret === 'whole') return '***';
  const masked = secret === 'credentials' ? maskUrl(text) : maskCredentials(text);
  return masked.length > SHOWN_MAX ? `${masked.slice(0, SHOWN_MAX)}…` : masked;
}

/** What each setting alone cannot see. */
function contradictions(values: Values): string[] {
  const found: string[] = [];
  const neededMs = Math.max(...values.stagesMs) + values.cooldownMs;
  if (values.ledgerTtlMs <= neededMs) {
    found.push(
      `REKINDLE_LEDGER_TTL is too short: it must exceed the last stage and REKINDLE_COOLDOWN together (${ms(neededMs)}), or episodes would be forgotten and announced anew`,
    );
  }
  if (values.sessionKey.startsWith(`${values.prefix}:`)) {
    found.push(
      `REKINDLE_SESSION_KEY must not begin with REKINDLE_PREFIX and a colon ("${values.prefix}:"): below it are only keys of ours`,
    );
  }
  if (values.redisAuth === 'entra' && values.redisPassword !== undefined)
    found.push('REDIS_AUTH=entra shows a token: leave out REDIS_PASSWORD, or REDIS_AUTH');
  found.push(...lacking(values));
  return found;
}

/** What is needed by where events, conversations and insights go, and is not said. */
function lacking(values: Values): string[] {
  const needs = [
    [
      values.bus === 'service-bus',
      'REKINDLE_BUS=service-bus needs SERVICEBUS_CONNECTION_STRING or SERVICEBUS_NAMESPACE',
      [values.serviceBusConnectionString, values.serviceBusNamespace],
    ],
    [
      values.warm === 'cosmos',
      'REKINDLE_WARM=cosmos needs COSMOS_ACCOUNT_URI',
      [values.cosmosAccountUri, values.cosmosEndpoint],
    ],
    [
      values.cold === 'blob',
      'REKINDLE_COLD=blob needs BLOB_ACCOUNT_URL or BLOB_CONNECTION_STRING',
      [values.blobAccountUrl, values.blobConnectionString],
    ],
  ] as const;
  return needs.flatMap(([asked, words, any]) =>
    asked && any.every((one) => one === undefined) ? [words] : [],
  );
}

function assemble(values: Values): Config {
  const {
    redisUrl: url,
    redisHost,
    redisPort,
    redisDb,
    redisUsername,
    redisPassword,
    redisSsl,
    ...rest
  } = values;
  const { redisCluster: _refused, queueRedisUrl, busRedisUrl, cosmosEndpoint, ...settings } = rest;
  const redis = composeRedisUrl(
    {
      url,
      host: redisHost,
      port: redisPort,
      db: redisDb,
      username: redisUsername,
      password: redisPassword,
      ssl: redisSsl,
    },
    DEFAULT_REDIS_URL,
  );
  return {
    ...settings,
    cosmosAccountUri: settings.cosmosAccountUri ?? cosmosEndpoint,
    redisUsername,
    redisUrl: redis,
    queueRedisUrl: queueRedisUrl ?? redis,
    busRedisUrl: busRedisUrl ?? redis,
  };
}

function freeze<T extends object>(value: T): Readonly<T> {
  for (const part of Object.values(value)) {
    if (typeof part === 'object' && part !== null) freeze(part as object);
  }
  return Object.freeze(value);
}
