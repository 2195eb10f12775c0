/**
 * Every setting there is: its name, its default, what it means, and how it is read. The table in the README, the
 * command `rekindle config` and the errors for a person all come from here.
 */
import { DAY_MS, SECOND_MS } from '../model/duration.ts';
import type { Form } from './forms.ts';
import * as forms from './forms.ts';
import { redisUrl } from './redis-url.ts';

export interface Setting<T> extends Form<T> {
  readonly name: string;
  /** As somebody would write it; undefined: nothing is set. */
  readonly default: string | undefined;
  readonly means: string;
  /** `whole`: never shown. `credentials`: a URL, shown without them. */
  readonly secret: 'no' | 'credentials' | 'whole';
}

type Named<T> = readonly [name: string, defaultText: string, form: Form<T>, means: string];

function setting<T>(...[name, defaultText, form, means]: Named<T>): Setting<T> {
  return { ...form, name, default: defaultText, means, secret: 'no' };
}

/** A setting that may be left out altogether. */
function optional<T>(name: string, form: Form<T>, means: string): Setting<T | undefined> {
  return { ...form, name, default: undefined, means, secret: 'no' };
}

function hidden<T>(what: 'credentials' | 'whole', plain: Setting<T>): Setting<T> {
  return { ...plain, secret: what };
}

export const DEFAULT_REDIS_URL = 'redis://127.0.0.1:6379';

/** In the order in which a person meets them. Keys with a unit are in that unit. */
export const SETTINGS = {
  redisUrl: hidden(
    'credentials',
    optional(
      'REDIS_URL',
      redisUrl,
      `The Redis that holds the sessions; default ${DEFAULT_REDIS_URL}. Its host, port, database and TLS win over the settings below.`,
    ),
  ),
  redisHost: optional(
    'REDIS_HOST',
    forms.hostName,
    'Host of the Redis, where no REDIS_URL is given.',
  ),
  redisPort: optional(
    'REDIS_PORT',
    forms.portNumber,
    'Port of the Redis, where no REDIS_URL is given.',
  ),
  redisDb: optional(
    'REDIS_DB',
    forms.wholeNumber(0, 9_999),
    'Database number, where no REDIS_URL is given.',
  ),
  redisUsername: optional('REDIS_USERNAME', forms.text, 'User name, where REDIS_URL holds none.'),
  redisPassword: hidden(
    'whole',
    optional('REDIS_PASSWORD', forms.text, 'Password, where REDIS_URL holds none.'),
  ),
  redisSsl: optional('REDIS_SSL', forms.flag, 'TLS to the Redis, where no REDIS_URL is given.'),
  redisCluster: setting(
    'REDIS_CLUSTER',
    'false',
    forms.noCluster,
    'Redis Cluster is not supported yet: `true` is refused.',
  ),
  redisAuth: setting(
    'REDIS_AUTH',
    'password',
    forms.oneOf('password', 'entra'),
    'What is shown to a Redis whose URL holds no password: `password` is REDIS_PASSWORD, `entra` a token of Microsoft Entra, renewed in time.',
  ),
  redisConnectTimeoutMs: setting(
    'REDIS_CONNECT_TIMEOUT',
    '5s',
    forms.duration(1),
    'How long one attempt to connect may take.',
  ),
  redisCommandTimeoutMs: setting(
    'REDIS_COMMAND_TIMEOUT',
    '5s',
    forms.duration(1),
    'How long a command may go without an answer.',
  ),
  queueRedisUrl: hidden(
    'credentials',
    optional(
      'REKINDLE_QUEUE_REDIS_URL',
      redisUrl,
      'The Redis that holds the job queues; default: the same.',
    ),
  ),
  busRedisUrl: hidden(
    'credentials',
    optional(
      'REKINDLE_BUS_REDIS_URL',
      redisUrl,
      'The Redis that holds the events; default: the same. Subscribers need it too.',
    ),
  ),

  sessionKey: setting(
    'REKINDLE_SESSION_KEY',
    'session:<user_id>',
    forms.sessionKey,
    'Key of a session; the messages are at the same with `:messages`. With `<session_id>` one user has several.',
  ),
  prefix: setting(
    'REKINDLE_PREFIX',
    'rekindle',
    forms.keyPrefix,
    'First part of every key that is ours.',
  ),
  foreign: setting(
    'REKINDLE_FOREIGN',
    'copy',
    forms.oneOf('copy', 'manage'),
    'Sessions that other programs wrote: `copy` leaves them and their TTL alone, `manage` treats them as ours.',
  ),
  hotTtlMs: setting(
    'REKINDLE_HOT_TTL',
    '24h',
    forms.duration(1),
    'How long a session lives after its last activity.',
  ),
  hotGraceMs: setting(
    'REKINDLE_HOT_GRACE',
    '7d',
    forms.duration(1),
    'How much longer Redis keeps it, so that an outage of the daemon loses nothing.',
  ),
  demoteLeadMs: setting(
    'REKINDLE_DEMOTE_LEAD',
    '1h',
    forms.duration(0),
    'How long before its end a session is copied; at half its TTL where that is shorter.',
  ),
  windowMessages: setting(
    'REKINDLE_WINDOW',
    '10',
    forms.wholeNumber(1, 10_000),
    'Messages that a session keeps in its window.',
  ),

  demoteConcurrency: setting(
    'REKINDLE_DEMOTE_CONCURRENCY',
    '512',
    forms.wholeNumber(1, 1_000),
    'Sessions that one demoter takes to warm at once.',
  ),
  demotePerSecond: optional(
    'REKINDLE_DEMOTE_RATE',
    forms.wholeNumber(1, 1_000_000),
    'Sessions that all demoters together take to warm in a second; default: as many as they can.',
  ),
  tombstoneTtlMs: setting(
    'REKINDLE_TOMBSTONE_TTL',
    '30d',
    forms.duration(1),
    'How long after an erasure late writers are refused what happened before it.',
  ),
  warm: setting(
    'REKINDLE_WARM',
    'sqlite',
    forms.oneOf('sqlite', 'cosmos'),
    'Where demoted sessions go: a SQLite file in REKINDLE_DATA_DIR, or Azure Cosmos DB.',
  ),
  cosmosAccountUri: optional(
    'COSMOS_ACCOUNT_URI',
    forms.httpUrl,
    'The Cosmos DB account, for REKINDLE_WARM=cosmos.',
  ),
  cosmosEndpoint: optional('COSMOS_ENDPOINT', forms.httpUrl, 'The same as COSMOS_ACCOUNT_URI.'),
  cosmosKey: hidden(
    'whole',
    optional('COSMOS_KEY', forms.text, 'Key of the account; without one, an identity is used.'),
  ),
  cosmosDatabase: setting('COSMOS_DATABASE', 'rekindle', forms.text, 'Its database.'),
  cosmosContainer: setting('COSMOS_CONTAINER', 'memories', forms.text, 'Its container.'),
  warmTtlMs: optional(
    'REKINDLE_WARM_TTL',
    forms.duration(SECOND_MS),
    'How long after it was last written a warm entry may be dropped, whatever became of it; default: never.',
  ),
  cold: setting(
    'REKINDLE_COLD',
    'files',
    forms.oneOf('files', 'blob'),
    'Where compacted conversations go, and what was learned of them: a folder in REKINDLE_DATA_DIR, or Azure Blob Storage.',
  ),
  blobAccountUrl: hidden(
    'credentials',
    optional(
      'BLOB_ACCOUNT_URL',
      forms.httpUrl,
      'The storage account, for REKINDLE_COLD=blob, with a SAS or without; without one, an identity is used.',
    ),
  ),
  blobConnectionString: hidden(
    'whole',
    optional(
      'BLOB_CONNECTION_STRING',
      forms.text,
      'Connection string of the account, in place of BLOB_ACCOUNT_URL.',
    ),
  ),
  blobContainer: setting('BLOB_CONTAINER', 'rekindle', forms.text, 'Its container.'),
  blobTags: setting(
    'BLOB_TAGS',
    'true',
    forms.flag,
    'Whether objects get index tags, for rules of retention: needs a role that may tag, and no hierarchical namespace.',
  ),
  warmAgeMs: setting(
    'REKINDLE_WARM_AGE',
    '7d',
    forms.duration(DAY_MS),
    'How long after its last message a conversation is compacted.',
  ),
  compactCron: setting(
    'REKINDLE_COMPACT_CRON',
    '17 3 * * *',
    forms.cron,
    'When the compactor looks for such conversations, in UTC.',
  ),
  compactConcurrency: setting(
    'REKINDLE_COMPACT_CONCURRENCY',
    '4',
    forms.wholeNumber(1, 1_000),
    'Users whose conversations one compactor takes at once.',
  ),
  summarizer: setting(
    'REKINDLE_SUMMARIZER',
    'extractive',
    forms.oneOf('extractive', 'openai'),
    'Who says what is worth keeping of a conversation: `extractive` works offline, `openai` asks a model.',
  ),
  openaiModel: optional(
    'OPENAI_MODEL',
    forms.text,
    'Name of the model; for Azure, of the deployment.',
  ),
  openaiApiKey: hidden('whole', optional('OPENAI_API_KEY', forms.text, 'Key of the model.')),
  openaiBaseUrl: optional(
    'OPENAI_BASE_URL',
    forms.text,
    "Where a server stands that speaks as OpenAI does, `/v1` included; default OpenAI's own.",
  ),
  azureOpenaiEndpoint: optional(
    'AZURE_OPENAI_ENDPOINT',
    forms.text,
    'Endpoint of Azure OpenAI, in place of OPENAI_BASE_URL.',
  ),
  azureOpenaiApiVersion: setting(
    'AZURE_OPENAI_API_VERSION',
    '2024-10-21',
    forms.text,
    'Version of its interface.',
  ),
  dataDir: setting(
    'REKINDLE_DATA_DIR',
    'data',
    forms.text,
    'Folder of the files that Rekindle keeps; made if need be.',
  ),

  stagesMs: setting(
    'REKINDLE_STAGES',
    '30m,20h,72h',
    forms.ascendingDurations,
    'Inactivity after which a cart is announced: once for each stage.',
  ),
  cooldownMs: setting(
    'REKINDLE_COOLDOWN',
    '7d',
    forms.duration(1),
    'How long after its last stage an episode stays closed.',
  ),
  minCartValue: setting(
    'REKINDLE_MIN_CART_VALUE',
    '0',
    forms.amount,
    'A cart worth less is not announced.',
  ),
  maxCartBytes: setting(
    'REKINDLE_MAX_CART',
    '64KiB',
    forms.bytes,
    'A cart whose JSON is larger goes to quarantine.',
  ),
  quietHours: setting(
    'REKINDLE_QUIET_HOURS',
    '21:00-08:00',
    forms.localHours,
    'Local hours in which nobody should be contacted, or `off`; announcements say when they end.',
  ),
  timezone: setting(
    'REKINDLE_TIMEZONE',
    'UTC',
    forms.timezone,
    'Time zone of users whose session names none, and whose telephone number tells no country.',
  ),
  frequencyCap: setting(
    'REKINDLE_FREQUENCY_CAP',
    'off',
    forms.rate,
    'How many rescue messages a user may get in how long, over all carts; or `off`.',
  ),
  holdout: setting(
    'REKINDLE_HOLDOUT',
    '0',
    forms.share(0.5),
    'Share of users who are announced and not to be contacted, so that it can be measured what contacting does.',
  ),
  holdoutSalt: setting(
    'REKINDLE_HOLDOUT_SALT',
    'rekindle',
    forms.text,
    'Decides which users those are: another text draws others.',
  ),
  attributionMs: setting(
    'REKINDLE_ATTRIBUTION',
    'chat=24h,email=5d',
    forms.durationsByName,
    'How long after a rescue message an order is owed to it, by channel such as `whatsapp`, or by class: `email`, and `chat` for all others.',
  ),

  reconcileEveryMs: setting(
    'REKINDLE_RECONCILE_EVERY',
    '15m',
    forms.duration(SECOND_MS),
    'How often all sessions are gone through for what notifications missed.',
  ),
  leaseMs: setting(
    'REKINDLE_LEASE',
    '30s',
    forms.duration(SECOND_MS),
    'How long claimed users stay with a worker that says nothing more.',
  ),
  ledgerTtlMs: setting(
    'REKINDLE_LEDGER_TTL',
    '90d',
    forms.duration(1),
    'How long what is known of a silent user is kept; longer than last stage and cool-down together.',
  ),

  reportTtlMs: setting(
    'REKINDLE_REPORT_TTL',
    '400d',
    forms.duration(DAY_MS),
    'How long what `rekindle report` counts is kept.',
  ),

  bus: setting(
    'REKINDLE_BUS',
    'redis-streams',
    forms.oneOf('redis-streams', 'service-bus'),
    'Where events go: a stream in Redis, or Azure Service Bus.',
  ),
  busCapEvents: setting(
    'REKINDLE_BUS_CAP',
    '100000',
    forms.wholeNumber(1, 100_000_000),
    'Publishing pauses while the slowest consumer group is this many events behind, on redis-streams.',
  ),
  serviceBusConnectionString: hidden(
    'whole',
    optional(
      'SERVICEBUS_CONNECTION_STRING',
      forms.text,
      'Connection string of the namespace, for REKINDLE_BUS=service-bus.',
    ),
  ),
  serviceBusNamespace: optional(
    'SERVICEBUS_NAMESPACE',
    forms.hostName,
    'The namespace, such as shop.servicebus.windows.net, where no connection string is given: an identity is used.',
  ),
  serviceBusTopic: setting(
    'SERVICEBUS_TOPIC',
    'rekindle',
    forms.text,
    'Its topic; each consumer group is a subscription of it.',
  ),
  serviceBusQueue: optional(
    'SERVICEBUS_QUEUE',
    forms.text,
    'A queue in place of the topic: then there is one consumer group.',
  ),
  serviceBusAdminUrl: optional(
    'SERVICEBUS_ADMIN_URL',
    forms.httpUrl,
    'Where entities are looked up and made, where that is not the namespace itself: for emulators.',
  ),

  agentGroup: setting(
    'REKINDLE_AGENT_GROUP',
    'rescue',
    forms.text,
    'The example Rescue Agent: its consumer group; each group acts on every announcement.',
  ),
  agentOutbox: hidden(
    'credentials',
    optional(
      'REKINDLE_AGENT_OUTBOX',
      forms.text,
      'Where it puts its messages: a file, or an address (`https://…`) that they are posted to; default `drafts.jsonl` in REKINDLE_DATA_DIR.',
    ),
  ),
  agentWebhookSecret: hidden(
    'whole',
    optional('REKINDLE_AGENT_WEBHOOK_SECRET', forms.text, 'Signs what it posts to an address.'),
  ),
  agentDrafter: setting(
    'REKINDLE_AGENT_DRAFTER',
    'templates',
    forms.oneOf('templates', 'openai'),
    'Who words its messages: `templates` works offline, `openai` asks the model of OPENAI_MODEL.',
  ),

  keyVaultUrl: optional(
    'KEY_VAULT_URL',
    forms.httpUrl,
    'The Azure Key Vault of secrets that are written as `keyvault:NAME`: REDIS_URL, and each setting that is masked.',
  ),
  secretsEveryMs: setting(
    'REKINDLE_SECRETS_EVERY',
    '5m',
    forms.duration(SECOND_MS),
    'How often the vault is asked for new versions of them.',
  ),

  http: setting(
    'REKINDLE_HTTP',
    '127.0.0.1:8787',
    forms.address,
    'Where `/live`, `/ready` and `/metrics` are served, or `off`.',
  ),
  logLevel: setting(
    'LOG_LEVEL',
    'info',
    forms.oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    'The least serious log lines that are written.',
  ),
} as const;
