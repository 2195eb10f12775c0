/** A subscriber in a process of its own: settles most events, retries some, drops some; prints what took effect. */
import { setTimeout as sleep } from 'node:timers/promises';
import { SeededRandom } from '../../src/demo/random.ts';
import { openBus } from '../../src/compose.ts';
import { loadConfig } from '../../src/config.ts';
import { BusUnavailableError } from '../../src/index.ts';

/** Shares of the deliveries. */
const RETRIED = 0.04;
const DROPPED = 0.01;

const CLAIM_MS = 2_000;
const RETRY_MS = 500;

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
// The other end is the soak's: it has ended.
process.stdin.resume().once('end', () => stop.abort());
const random = new SeededRandom(Number(process.argv[2]));
const bus = await openBus(loadConfig());
const subscription = await bus.subscribe({ group: 'soak', claimMs: CLAIM_MS });
const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
print({ ready: true });
while (!stop.signal.aborted) {
  for (const delivery of await subscription.receive(50, 500, stop.signal)) {
    const { event, attempt } = delivery;
    const chance = random.next();
    try {
      if (chance < RETRIED) {
        await delivery.retry(random.between(0, RETRY_MS), 'one of the soak');
        print({ retried: event.id });
      } else if (chance < RETRIED + DROPPED) {
        print({ dropped: event.id });
      } else {
        await sleep(random.between(0, 2));
        // The effect; what comes again after it is told by its id.
        print({ event, attempt });
        await delivery.done();
      }
    } catch (error) {
      if (!(error instanceof BusUnavailableError)) throw error;
      print({ dropped: event.id });
    }
  }
}
await subscription.close();
await bus.close();
