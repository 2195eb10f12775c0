// The gate: runs every `check:*` script of package.json and prints a line for each; what a failed
// one had to say follows at the end.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { delimiter, resolve } from 'node:path';
import { text } from 'node:stream/consumers';

/** Most checks keep one core busy, and the smallest machine meant has two. */
const AT_ONCE = 2;

interface Outcome {
  readonly name: string;
  readonly ok: boolean;
  readonly output: string;
}

const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  scripts: Record<string, string>;
};
const queue = Object.entries(scripts).filter(([name]) => name.startsWith('check:'));
const outcomes: Outcome[] = [];

async function runQueue(): Promise<void> {
  for (let next = queue.shift(); next; next = queue.shift()) outcomes.push(await run(...next));
}

async function run(name: string, command: string): Promise<Outcome> {
  const startedAt = performance.now();
  const PATH = [resolve('node_modules/.bin'), process.env['PATH']].join(delimiter);
  const child = spawn(`${command} 2>&1`, {
    shell: true,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, PATH },
  });
  const [output, exit] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  const ok = exit[0] === 0;
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  process.stdout.write(`${ok ? 'ok    ' : 'FAILED'} ${seconds.padStart(5)} s  ${name}\n`);
  return { name, ok, output };
}

await Promise.all(Array.from({ length: AT_ONCE }, runQueue));
for (const { name, output } of outcomes.filter((outcome) => !outcome.ok)) {
  process.stdout.write(`\n--- ${name}\n${output}`);
  process.exitCode = 1;
}
