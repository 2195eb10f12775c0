import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const WARM = fileURLToPath(
  new URL('../../src/adapters/warm/sqlite/sqlite-warm.ts', import.meta.url),
);

const NOBODY = 65_534;

/** How a process ended that used a file of the warm tier. */
export interface ChildEnd {
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a script in a process of its own, which has `SqliteWarm`, `args` and a `clock` that stands at `at`. As nobody:
 * with the rights of a user who owns nothing, which takes root.
 */
export function inWarmProcess(
  script: string,
  { args = [], at, asNobody = false }: { args?: readonly string[]; at: number; asNobody?: boolean },
): ChildEnd {
  const head = `
    const { SqliteWarm } = await import(${JSON.stringify(WARM)});
    const args = process.argv.slice(1);
    const clock = { now: () => ${at}, sleep: async () => {} };
    ${asNobody ? `process.setgroups([]); process.setgid(${NOBODY}); process.setuid(${NOBODY});` : ''}`;
  const { signal, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', `${head}\n${script}`, ...args],
    { encoding: 'utf8' },
  );
  return { signal, stdout, stderr };
}
