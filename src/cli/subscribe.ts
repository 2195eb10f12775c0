import { Command, Option } from 'commander';
import { openBus } from '../compose.ts';
import type { AnyEvent, EventType } from '../model/event.ts';
import { EVENT_TYPES } from '../model/event.ts';
import { printable } from '../runtime/printable.ts';
import { configOf, withSettings } from './context.ts';

const RECEIVE_BATCH = 100;
const RECEIVE_WAIT_MS = 5_000;

/** `rekindle subscribe` */
export function subscribeCommand(): Command {
  const command = new Command('subscribe')
    .description('Print each event as it comes and settle it, until stopped.')
    .option('--group <name>', 'consumer group: each group gets every event', 'rekindle-cli')
    .addOption(new Option('--type <type...>', 'only these types').choices(EVENT_TYPES))
    .option('--json', 'print each event as one line of JSON')
    .addHelpText(
      'after',
      '\nA group stays when this ends, and events wait for it: the daemon pauses once REKINDLE_BUS_CAP wait.\n' +
        'Remove one that nobody reads any more: redis-cli XGROUP DESTROY rekindle:events GROUP',
    )
    .addHelpText(
      'after',
      '\nExample:\n  rekindle subscribe --type cart.abandoned --json | jq .data.user',
    );
  withSettings(command);
  return command.action(
    async ({ group, type, json }: { group: string; type?: EventType[]; json?: boolean }) => {
      await using opened = new AsyncDisposableStack();
      const bus = await openBus(await configOf(command));
      opened.defer(() => bus.close());
      const subscription = await bus.subscribe({ group, ...(type && { types: type }) });
      opened.defer(() => subscription.close());
      const stop = new AbortController();
      for (const signal of ['SIGINT', 'SIGTERM'] as const) {
        process.once(signal, () => {
          stop.abort();
        });
      }
      // `| head` closes the pipe: nobody reads on, so nothing more is settled.
      process.stdout.once('error', () => {
        stop.abort();
      });
      while (!stop.signal.aborted) {
        const deliveries = await subscription.receive(RECEIVE_BATCH, RECEIVE_WAIT_MS, stop.signal);
        for (const delivery of deliveries) {
          const line = json ? JSON.stringify(delivery.event) : sentence(delivery.event);
          if (!(await printed(printable(line)))) break;
          await delivery.done();
        }
      }
    },
  );
}

/** An event is settled only once it has left this process. */
function printed(line: string): Promise<boolean> {
  return new Promise((resolve) => {
    process.stdout.write(`${line}\n`, (error) => {
      resolve(!error);
    });
  });
}

function sentence(event: AnyEvent): string {
  const { user } = event.data;
  const stage = event.type === 'user.erased' ? '' : `  stage ${String(event.data.stage)}`;
  return `${event.time}  ${event.type}  ${user}${stage}  ${gist(event)}`;
}

function gist({ type, data }: AnyEvent): string {
  switch (type) {
    case 'cart.abandoned':
      return `cart of ${String(data.cart.value)} quiet for ${String(data.idle_seconds)} s`;
    case 'cart.rescue_cancelled':
      return data.reason;
    case 'cart.touched':
      return `on ${data.channel}`;
    case 'cart.recovered':
      return `${data.class}, ${String(data.value)}`;
    case 'user.erased':
      return 'with all sessions';
  }
}
