import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';

export interface MarkedProcess {
  readonly pid: number;
  readonly command: string;
}

/** The living processes whose environment holds `NAME=value`: all that a test has started, however deep. */
export function markedProcesses(mark: string): MarkedProcess[] {
  if (process.platform !== 'linux') return fromPs(mark);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        // What has ended and was not reaped has an empty environment.
        if (!readProc(name, 'environ').includes(mark)) return [];
        return [{ pid: Number(name), command: readProc(name, 'cmdline').join(' ') }];
      } catch {
        // It has ended meanwhile.
        return [];
      }
    });
}

function readProc(pid: string, what: string): string[] {
  return readFileSync(`/proc/${pid}/${what}`, 'utf8').split('\0');
}

function fromPs(mark: string): MarkedProcess[] {
  return execFileSync('ps', ['axeww', '-o', 'pid=,command='], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(mark))
    .map((line) => ({ pid: Number.parseInt(line, 10), command: line.trim() }));
}
