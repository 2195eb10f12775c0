/** Puts the example agent of a replay together. */
import { areStillWanted } from './abandonment/wanted.ts';
import type { Hot } from './compose.ts';
import type { Config } from './config.ts';
import { MINUTE_MS } from './model/duration.ts';
import type { WarmStore } from './ports/warm.ts';
import { type RecallPorts, recall } from './recall/recall.ts';
import { MemoryOutbox } from './replay/memory-outbox.ts';
import { ReplayAgent } from './replay/replay-agent.ts';
import { noteTouch } from './rescue/outcome.ts';

/** A busy machine is to change nothing. */
const RECALL_DEADLINE_MS = MINUTE_MS;

/** What the agent works on, all of it by the virtual clock. */
export type ReplayAgentTiers = Pick<Hot, 'clock' | 'ledgers' | 'inbox' | 'records'> & {
  readonly warm: WarmStore;
};

/** Starts the example agent, with the drafter of templates and an outbox in memory. */
export async function composeReplayAgent(
  { clock, ledgers, inbox, records, warm }: ReplayAgentTiers,
  config: Config,
): Promise<ReplayAgent> {
  const { TemplatesDrafter } = await import('./adapters/drafter/templates/templates-drafter.ts');
  const { countTokens } = await import('gpt-tokenizer/encoding/o200k_base');
  const ports: RecallPorts = {
    clock,
    records,
    warm: {
      find: (...asked) => warm.find(...asked),
      search: (...asked) => warm.search(...asked),
      similar: (...asked) => warm.similar(...asked),
      // Nobody waits for this note: when it takes effect is chance.
      recalled: async () => undefined,
    },
    // A replay compacts nothing.
    cold: undefined,
    countTokens: (text) => countTokens(text),
  };
  const agent = new ReplayAgent({
    ...{ clock, inbox, drafter: new TemplatesDrafter(), outbox: new MemoryOutbox(clock) },
    wanted: (events) =>
      areStillWanted(
        events.map(({ data }) => ({ ref: data.user, data })),
        { ledgers, clock },
        config,
      ),
    recall: ({ data }, request) =>
      recall(data.user, { ...request, deadlineMs: RECALL_DEADLINE_MS }, ports),
    recordTouch: (event, touch) => noteTouch(event.data.user, event, touch, { ledgers, clock }),
  });
  await agent.start();
  return agent;
}
