/** Notes what was brought back. An entry that is not there is passed over; one that was brought back later keeps that instant. */
import type { OperationInput, PatchOperation } from '@azure/cosmos';
import { nameOf } from './document.ts';
import type { Ground } from './ground.ts';

/** As many operations as a batch has. */
const AT_ONCE = 100;

/** An answer that is lost may count an entry twice: a counter of use, that is worth no further question. */
export async function noteRecalled(
  ground: Ground,
  memoryIds: readonly string[],
  at: number,
): Promise<void> {
  const names = memoryIds.map(nameOf);
  for (let from = 0; from < names.length; from += AT_ONCE)
    await noteSome(ground, names.slice(from, from + AT_ONCE), at);
}

async function noteSome(
  { call, partition }: Ground,
  names: readonly string[],
  at: number,
): Promise<void> {
  const left = names.map((name) => ({ name, later: false }));
  for (let failures = 1; left.length > 0; ) {
    const outcome = await call.batch(
      partition,
      left.map(({ name, later }) => stepOf(name, later ? undefined : at)),
      async () => false,
    );
    if ('done' in outcome) return;
    const { index, status } = outcome;
    const one = left[index];
    if (status === 404) left.splice(index, 1);
    else if (status === 412 && one) one.later = true;
    else {
      await call.pauseOver(outcome, failures);
      failures += 1;
    }
  }
}

function stepOf(name: string, at: number | undefined): OperationInput {
  const count: PatchOperation = { op: 'incr', path: '/recalls', value: 1 };
  if (at === undefined)
    return { operationType: 'Patch', id: name, resourceBody: { operations: [count] } };
  return {
    operationType: 'Patch',
    id: name,
    resourceBody: {
      condition: `FROM c WHERE c.accessedAt <= ${at}`,
      operations: [count, { op: 'set', path: '/accessedAt', value: at }],
    },
  };
}
