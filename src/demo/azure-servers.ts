/**
 * The servers that stand in for Azure: they speak the protocols of Service Bus, Cosmos DB and Blob Storage to the real SDKs,
 * keep everything in memory, and belong to the tests. So they are there in a clone, and not in the package.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../model/errors.ts';

const MAIN = fileURLToPath(new URL('../../test/servers/main.ts', import.meta.url));

/** Azurite loads a thousand modules before it listens. */
const READY_WITHIN_MS = 60_000;

const STOP_WITHIN_MS = 5_000;

/** What a server says of itself, as one line of JSON, once it listens. */
type Said = Readonly<Record<string, string>>;

/** Each server, and the settings that lead to it. */
const SERVERS: Readonly<Record<string, (said: Said) => Readonly<Record<string, string>>>> = {
  'service-bus': ({ connectionString = '', administrationUrl = '' }) => ({
    REKINDLE_BUS: 'service-bus',
    SERVICEBUS_CONNECTION_STRING: connectionString,
    SERVICEBUS_ADMIN_URL: administrationUrl,
  }),
  cosmos: ({ endpoint = '', key = '' }) => ({
    REKINDLE_WARM: 'cosmos',
    COSMOS_ACCOUNT_URI: endpoint,
    COSMOS_KEY: key,
  }),
  azurite: ({ connectionString = '' }) => ({
    REKINDLE_COLD: 'blob',
    BLOB_CONNECTION_STRING: connectionString,
  }),
};

export interface AzureServers extends AsyncDisposable {
  /** Settings, by their environment names. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Starts them, each in a process that ends with this one.
 * @throws UsageError where they are not there
 */
export async function startAzureServers(signal: AbortSignal): Promise<AzureServers> {
  if (!existsSync(MAIN))
    throw new UsageError('--azure needs the servers of the tests, which only a clone has');
  await using starting = new AsyncDisposableStack();
  const said = await Promise.all(
    Object.entries(SERVERS).map(async ([name, settingsOf]) => {
      const child = spawn(process.execPath, [MAIN, name], {
        // The end of its standard input tells it that we are gone.
        stdio: ['pipe', 'pipe', 'ignore'],
        // Ctrl-C is for us, who stop it in order.
        detached: true,
      });
      starting.defer(() => end(child));
      return settingsOf(await firstLine(child, name, signal));
    }),
  );
  const started = starting.move();
  return {
    env: Object.assign({}, ...said) as Record<string, string>,
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

async function firstLine(child: ChildProcess, name: string, signal: AbortSignal): Promise<Said> {
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const within = AbortSignal.any([signal, AbortSignal.timeout(READY_WITHIN_MS)]);
  const gone = once(child, 'exit', { signal: within }).then(() => {
    throw new Error(`the server ${name} ended before it listened`);
  });
  try {
    const [line] = (await Promise.race([once(lines, 'line', { signal: within }), gone])) as [
      string,
    ];
    return JSON.parse(line) as Said;
  } finally {
    gone.catch(() => undefined);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
  await ended;
  clearTimeout(timer);
}
