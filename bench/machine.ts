import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';

/** What a figure was measured on, in words. */
export function machine(): string {
  const [first] = cpus();
  const redis = /v=(\S+)/.exec(execFileSync('redis-server', ['--version'], { encoding: 'utf8' }));
  return `${cpus().length} × ${first?.model ?? 'unknown'}, Node ${process.version.slice(1)}, Redis ${redis?.[1] ?? 'unknown'}`;
}

/** YYYY-MM-DD. */
export function today(): string {
  return new Date().toISOString().slice(0, 10);
}
