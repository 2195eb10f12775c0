import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { T } from '../contract/cold.ts';

const NOBODY = 65_534;

function sourceOf(path: string): string {
  return JSON.stringify(fileURLToPath(new URL(path, import.meta.url)));
}

/** How a process ended that used a folder of the cold tier. */
export interface ColdEnd {
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ColdProcess {
  readonly folder: string;
  /** With the rights of a user who owns nothing, which takes root. */
  readonly asNobody?: boolean;
  /** Kills itself in front of the n-th call to the file system, the first being 0, that comes after `armed()`. */
  readonly dieAt?: number;
  /** Is killed so many milliseconds after it has printed something. */
  readonly killAfterMs?: number;
}

/** Runs a script in a process of its own, which has `open()`, `armed()`, `folder` and `T`. */
export async function inColdProcess(
  script: string,
  { folder, asNobody = false, dieAt, killAfterMs }: ColdProcess,
): Promise<ColdEnd> {
  const head = `
    const { FilesCold } = await import(${sourceOf('../../src/adapters/cold/files/files-cold.ts')});
    const { watchFileCalls } = await import(${sourceOf('./fs-calls.ts')});
    const folder = ${JSON.stringify(folder)};
    const T = ${T};
    const open = () => FilesCold.open(folder, { now: () => T });
    const armed = () => {
      let left = ${dieAt ?? -1};
      if (left >= 0) watchFileCalls(async () => {
        if (left-- === 0) process.kill(process.pid, 'SIGKILL');
        if (left < 0) await new Promise(() => {});
      });
    };
    ${asNobody ? `process.setgroups([]); process.setgid(${NOBODY}); process.setuid(${NOBODY});` : ''}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', `${head}\n${script}`]);
  let stdout = '';
  let stderr = '';
  let killing: NodeJS.Timeout | undefined;
  child.stdout.on('data', (data: Buffer) => {
    stdout += data.toString();
    if (killAfterMs !== undefined) killing ??= setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  });
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  return new Promise((resolve) => {
    child.on('close', (_code, signal) => {
      clearTimeout(killing);
      resolve({ signal, stdout, stderr });
    });
  });
}
