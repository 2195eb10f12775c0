/**
 * What operations cost, in request units. The figures follow what the service states for 1 KB and 100 KB (a read 1 and
 * 10, a write 5 and 50) and what it says of kinds: whatever replaces costs about twice what creates. They are no prices:
 * they show which of two ways is dearer, and by about how much.
 */
import { bytesOf, type Operation, type Result } from './documents.ts';

const KB = 1_024;

export function chargeOf(
  { kind }: Pick<Operation, 'kind'>,
  { item, before, status }: Result,
): number {
  if (status === 304 || status === 404) return 1;
  if (status >= 400) return before ? written(before) : 1.24;
  if (kind === 'read') return round(1 + 0.09 * (kilobytes(item) - 1));
  if (kind === 'delete') return written(before);
  return before ? round(written(before) + written(item)) : written(item);
}

export function chargeOfQuery(returned: readonly unknown[], scanned: number): number {
  return round(2.3 + 0.09 * kilobytes(returned) + 0.01 * scanned);
}

function written(item: unknown): number {
  return round(5 + 0.45 * (kilobytes(item) - 1));
}

function kilobytes(value: unknown): number {
  return value === undefined ? 1 : Math.max(1, bytesOf(value) / KB);
}

export function round(charge: number): number {
  return Math.round(charge * 100) / 100;
}
