import type { Agenda } from '../../src/ports/agenda.ts';

/** Strikes what is on the bus, by somebody whose lease has gone. */
export async function strike(
  { agenda }: { readonly agenda: Agenda },
  published: readonly { readonly user: string; readonly ids: readonly string[] }[],
): Promise<void> {
  const late = { users: [], leasedUntil: 0, nextDueAt: undefined };
  await agenda.settle(
    late,
    published.map(({ user, ids }) => ({ user, at: undefined, published: ids })),
  );
}
