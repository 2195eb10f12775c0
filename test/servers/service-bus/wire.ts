import rhea from 'rhea';
import type { Message } from 'rhea';
import type { StoredMessage } from './stored-message.ts';

const { types } = rhea;

/** 100 ns ticks from the year 1 to 1970, and in a millisecond. */
const TICKS = { epoch: 621_355_968_000_000_000n, perMs: 10_000n };

/** A stored message as a receiver gets it. */
export function onTheWire(stored: StoredMessage): Message {
  const { message, sequence, enqueuedAt, deliveryCount, deferred } = stored;
  const { 'x-opt-scheduled-enqueue-time': _scheduled, ...annotations } = {
    ...(message.message_annotations as Record<string, unknown> | undefined),
  };
  return {
    ...message,
    delivery_count: deliveryCount,
    message_annotations: {
      ...annotations,
      'x-opt-sequence-number': types.wrap_long(sequence),
      'x-opt-enqueued-time': types.wrap_timestamp(enqueuedAt),
      ...(deferred && { 'x-opt-message-state': 1 }),
      ...(stored.token !== undefined && {
        'x-opt-locked-until': types.wrap_timestamp(stored.lockedUntil),
      }),
    },
  };
}

/** The tag of a delivery: the lock's token with its first three groups the other way round, as GUIDs are written. */
export function tagOf(token: string): Buffer {
  const bytes = Buffer.from(token, 'hex');
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}

export function ticksOf(at: number): unknown {
  const ticks = Buffer.alloc(8);
  ticks.writeBigInt64BE(BigInt(at) * TICKS.perMs + TICKS.epoch);
  return types.wrap_long(ticks);
}

/** A whole number that may have come as eight bytes. */
export function numberOf(value: unknown): number {
  return Buffer.isBuffer(value) ? Number(value.readBigInt64BE()) : Number(value);
}

export function listOf(value: unknown): readonly unknown[] {
  if (value == null) return [];
  return Array.isArray(value) ? (value as unknown[]) : [value];
}
