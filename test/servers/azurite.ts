import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Certificate } from './certificate.ts';

/** It loads a thousand modules before it listens. */
const READY_WITHIN_MS = 60_000;

/** What was removed is kept for ten minutes; its own limit is half of the machine's memory. */
const MEMORY_MB = 1_024;

/** Of Azurite's only account; both are public (learn.microsoft.com/azure/storage/common/storage-use-azurite). */
const ACCOUNT = 'devstoreaccount1';
const KEY =
  'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

export interface Azurite extends AsyncDisposable {
  /** Of the account. */
  readonly url: string;
  readonly port: number;
  readonly account: string;
  readonly key: string;
  readonly connectionString: string;
  readonly pid: number;
}

/**
 * Starts Azurite's blob service on loopback, on a free port; it keeps what it holds in memory, and never outlives this
 * process. With a certificate it speaks HTTPS, and takes tokens of identities.
 */
export async function startAzurite({
  certificate,
}: {
  readonly certificate?: Certificate;
} = {}): Promise<Azurite> {
  const args = ['--blobHost', '127.0.0.1', '--blobPort', '0', '--silent'];
  args.push('--inMemoryPersistence', '--extentMemoryLimit', String(MEMORY_MB));
  args.push('--skipApiVersionCheck', '--disableTelemetry');
  // Read before it listens, and gone by then: a parent that is killed later leaves nothing on the disk.
  await using files = new AsyncDisposableStack();
  if (certificate) {
    const folder = await mkdtemp(join(tmpdir(), 'rekindle-azurite-'));
    files.defer(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, 'cert.pem'), certificate.cert);
    await writeFile(join(folder, 'key.pem'), certificate.key, { mode: 0o600 });
    args.push('--oauth', 'basic', '--cert', join(folder, 'cert.pem'));
    args.push('--key', join(folder, 'key.pem'));
  }
  const entry = join(import.meta.dirname, 'azurite-process.ts');
  const child = spawn(process.execPath, [entry, ...args], {
    cwd: tmpdir(),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  try {
    const port = await listening(child.stdout, exited);
    const url = `${certificate ? 'https' : 'http'}://127.0.0.1:${port}/${ACCOUNT}`;
    return {
      url,
      port,
      account: ACCOUNT,
      key: KEY,
      connectionString: `DefaultEndpointsProtocol=${new URL(url).protocol.slice(0, -1)};AccountName=${ACCOUNT};AccountKey=${KEY};BlobEndpoint=${url};`,
      pid: child.pid ?? NaN,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function listening(stdout: NodeJS.ReadableStream, exited: Promise<unknown>): Promise<number> {
  const said = Promise.withResolvers<number>();
  createInterface(stdout).on('line', (line) => {
    const port = /successfully listens on \S+:(\d+)/.exec(line)?.[1];
    if (port !== undefined) said.resolve(Number(port));
  });
  const timer = setTimeout(
    () => said.reject(new Error('Azurite did not listen in time')),
    READY_WITHIN_MS,
  );
  const gone = exited.then(() => {
    throw new Error('Azurite ended before it listened');
  });
  try {
    return await Promise.race([said.promise, gone]);
  } finally {
    clearTimeout(timer);
    gone.catch(() => undefined);
  }
}
