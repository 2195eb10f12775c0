/** What Linux tells of a process. */
import { readFileSync, readdirSync } from 'node:fs';

/** Clock ticks a second: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

export interface ProcessMemory {
  /** Resident now, and at its highest, in MB. */
  readonly residentMb: number;
  readonly highestMb: number;
}

export function memoryOf(pid: number): ProcessMemory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const mb = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1_024;
  return { residentMb: mb('VmRSS'), highestMb: mb('VmHWM') };
}

/** CPU time so far, of all threads, in seconds. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name of the program stands in brackets and may hold anything.
  const [, user = '', system = ''] = /^(?:\S+ ){11}(\d+) (\d+)/.exec(afterName(stat)) ?? [];
  return (Number(user) + Number(system)) / TICKS_PER_SECOND;
}

function afterName(stat: string): string {
  return stat.slice(stat.lastIndexOf(')') + 2);
}

export function openFilesOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** How long the main thread ran, and how long it could have run and waited for a CPU, in milliseconds. */
export function schedulingOf(pid: number): { readonly ranMs: number; readonly waitedMs: number } {
  const stat = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8');
  const [ran, waited] = stat.split(' ').map((nanoseconds) => Number(nanoseconds) / 1e6);
  return { ranMs: ran ?? NaN, waitedMs: waited ?? NaN };
}
