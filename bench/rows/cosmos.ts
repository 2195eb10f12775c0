import type { Head, Series } from '../harness.ts';
import { MESSAGES } from './tiers.ts';

const trips: Head = {
  name: `Cosmos DB, round trips of a demotion of ${MESSAGES} messages`,
  unit: 'requests',
  target: '<= 0.2 x one upsert per message',
  met: (ours, peer) => ours <= 0.2 * peer,
};
const charge: Head = {
  name: `Cosmos DB, request charge of a demotion of ${MESSAGES} messages`,
  unit: 'RU',
};

/** The way down to Cosmos DB, beside a program that writes each message as a document of its own and looks at nothing. */
export const cosmos: Series = {
  name: 'Cosmos DB',
  sessions: 500,
  apart: false,
  figures: [trips, charge],
  measure: async (bench) => {
    // The clients of Azure take their time to be loaded, and the other figures do without.
    const { demoteToCosmos } = await import('../cosmos/demotions.ts');
    const measured = await demoteToCosmos(bench);
    return new Map([
      [trips.name, measured.trips],
      [charge.name, measured.charge],
    ]);
  },
};
