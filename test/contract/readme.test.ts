/**
 * What README.md shows is run, block after block, as its reader would: `sh` by a shell, `ts` by Node, against a Redis of
 * its own. A comment above a block says what is special about it:
 *
 *   not run: REASON             it is not run here
 *   background until: TEXT      it runs until the end; the next block comes when TEXT was printed
 *   background prints: TEXT     after it, a block in the background prints TEXT
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PrivateRedis, startPrivateRedis } from '../../src/cli/private-redis.ts';
import { didNotRun } from '../support/did-not-run.ts';

interface Block {
  readonly language: string;
  readonly code: string;
  /** What the comment above it says: the words before the colon, and those after it. */
  readonly note: readonly [kind: string, text: string] | undefined;
  readonly line: number;
}

const ROOT = resolve(import.meta.dirname, '../..');
const BLOCK_TIMEOUT_MS = 60_000;
const STOP_WITHIN_MS = 10_000;

const blocks = blocksOf(readFileSync(join(ROOT, 'README.md'), 'utf8'));
const examples = blocks.filter(({ language }) => language === 'ts');

let redis: PrivateRedis;
let folder: string;
let httpPort: number;
const started: Running[] = [];
const background: Running[] = [];

beforeAll(async () => {
  redis = await startPrivateRedis();
  folder = await mkdtemp(join(tmpdir(), 'rekindle-readme-'));
  httpPort = await freePort();
  await script(
    'redis-cli',
    `PATH='${process.env['PATH'] ?? ''}'\nexec redis-cli -p ${redis.port} "$@"`,
  );
  // What the package manager would link to the built command.
  await script('rekindle', `exec '${ROOT}/node_modules/.bin/node' '${ROOT}/src/cli/main.ts' "$@"`);
});

afterAll(async () => {
  await Promise.all(started.map((running) => running.stop()));
  await redis.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('README.md', () => {
  for (const block of blocks) {
    const title = `line ${block.line}: ${block.code.split('\n', 1).join('')}`;
    switch (block.language) {
      case 'sh':
      case 'ts':
      case 'console':
        test(title, { timeout: BLOCK_TIMEOUT_MS }, async (context) => {
          const [kind, text = ''] = block.note ?? [];
          if (kind === 'not run') didNotRun(context, text);
          if (/^curl /m.test(block.code) && !onPath('curl')) didNotRun(context, 'curl is not here');
          const code = block.language === 'ts' ? `node ${await exampleFile(block)}` : block.code;
          const running = run(code);
          if (kind === 'background until') {
            background.push(running);
            await running.until(text);
            return;
          }
          await running.done();
          if (kind === 'background prints') {
            await Promise.any(background.map((other) => other.until(text)));
          }
        });
        break;
      case 'csv':
        test(`line ${block.line}: a file, for the blocks after it`, async () => {
          await writeFile(join(folder, 'clicks.csv'), `${block.code}\n`);
        });
        break;
      default:
        test(title, () => expect(block.language).toBe('text'));
    }
  }

  test('shows TypeScript that compiles', { timeout: BLOCK_TIMEOUT_MS }, async () => {
    const config = {
      extends: join(ROOT, 'tsconfig.json'),
      compilerOptions: { typeRoots: [join(ROOT, 'node_modules/@types')] },
      include: [],
      files: await Promise.all(examples.map(exampleFile)),
    };
    expect(config.files.length).toBeGreaterThan(0);
    const project = join(folder, 'tsconfig.json');
    await writeFile(project, JSON.stringify(config));
    await run(`tsc --project ${project}`).done();
  });

  test('runs what it shows, or says why not', () => {
    const silent = blocks.filter(
      ({ language, note }) => language === 'console' && note?.[0] !== 'not run',
    );
    expect(silent).toEqual([]);
    expect(blocks.filter(({ language }) => language === 'sh').length).toBeGreaterThan(0);
  });
});

const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...globSync('docs/**/*.md', { cwd: ROOT, exclude: ['docs/api/**'] }),
];

test.each(PAGES)('every link of %s leads to a file', (file) => {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const targets = [...text.matchAll(/\]\((?!https?:)([^)#\s]+)/g)].map(
    ([, target]) => target ?? '',
  );
  const dead = targets.filter((target) => !existsSync(join(ROOT, dirname(file), target)));
  expect(dead).toEqual([]);
});

test('the tests that docs/guarantees.md names are there', () => {
  const text = readFileSync(join(ROOT, 'docs/guarantees.md'), 'utf8');
  const named = [...text.matchAll(/^- \[[^\]]+\]\(\.\.\/(test\/[^)]+)\): (.+)$/gm)];
  expect(named.length).toBeGreaterThan(0);
  for (const [, file = '', title = ''] of named) {
    expect(readFileSync(join(ROOT, file), 'utf8')).toContain(title);
  }
});

function blocksOf(markdown: string): Block[] {
  const lines = markdown.split('\n');
  const found: Block[] = [];
  for (let at = 0; at < lines.length; at += 1) {
    const language = /^```(\w+)$/.exec(lines[at] ?? '')?.[1];
    if (language === undefined) continue;
    const [, kind, text] = /^<!-- ([^:]+): (.+) -->$/.exec(lines[at - 1] ?? '') ?? [];
    const end = lines.indexOf('```', at);
    const code = lines.slice(at + 1, end).join('\n');
    const note = kind !== undefined && text !== undefined ? ([kind, text] as const) : undefined;
    found.push({ language, code, note, line: at + 1 });
    at = end;
  }
  return found;
}

/**
 * The programs of a block are a process group. A shell waits on a pipe whose other end is ours: when that is closed, by
 * us or because we are gone, the group is told to end.
 */
const GUARD = '(read _ <&3; kill 0) >/dev/null 2>&1 & exec 3<&-';

function run(code: string): Running {
  // Another daemon may have the port that readers use.
  const text = code.replaceAll('127.0.0.1:8787', `127.0.0.1:${httpPort}`);
  const env = {
    ...process.env,
    PATH: [folder, join(ROOT, 'node_modules/.bin'), process.env['PATH']].join(delimiter),
    REDIS_URL: redis.url,
    REKINDLE_HTTP: `127.0.0.1:${httpPort}`,
    // `npm start` runs in the checkout, the rest does not.
    REKINDLE_DATA_DIR: join(folder, 'data'),
  };
  const cwd = /^npm /m.test(code) ? ROOT : folder;
  const child = spawn('bash', ['-euo', 'pipefail', '-c', `${GUARD}\n${text}`], {
    cwd,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const running = new Running(child);
  started.push(running);
  return running;
}

async function exampleFile(block: Block): Promise<string> {
  const file = join(folder, `line-${block.line}.mts`);
  await writeFile(file, block.code.replaceAll(`'rekindle'`, `'${join(ROOT, 'src/index.ts')}'`));
  return file;
}

async function script(name: string, text: string): Promise<void> {
  await writeFile(join(folder, name), `#!/bin/sh\n${text}\n`);
  await chmod(join(folder, name), 0o755);
}

function onPath(command: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((at) => existsSync(join(at, command)));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A block that runs, and what it has printed. */
class Running {
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown[]>;
  #printed = '';

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#closed = once(child, 'close');
    child.once('exit', () => this.#letGo());
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#printed += text;
        child.emit('printed');
      });
    }
  }

  async done(): Promise<void> {
    const [code] = await this.#closed;
    expect(code, this.#printed).toBe(0);
  }

  async until(text: string): Promise<void> {
    const ended = this.#closed.then(() => {
      throw new Error(`it ended before it printed ${text}:\n${this.#printed}`);
    });
    ended.catch(() => undefined);
    while (!this.#printed.includes(text)) await Promise.race([once(this.#child, 'printed'), ended]);
  }

  /** Tells it to end; settles when nothing of it is left. */
  async stop(): Promise<void> {
    this.#letGo();
    const timer = setTimeout(
      () => process.kill(-(this.#child.pid ?? NaN), 'SIGKILL'),
      STOP_WITHIN_MS,
    );
    await this.#closed;
    clearTimeout(timer);
  }

  #letGo(): void {
    this.#child.stdio[3]?.destroy();
  }
}
