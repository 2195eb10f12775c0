/** Puts the example Rescue Agent together, and runs it. */
import { join } from 'node:path';
import { modelOf } from './compose-cold.ts';
import { openHot } from './compose.ts';
import type { Config } from './config.ts';
import { Rekindle } from './index.ts';
import { SECOND_MS } from './model/duration.ts';
import { UsageError } from './model/errors.ts';
import type { RekindleEvent } from './model/event.ts';
import type { SessionRef } from './model/session-names.ts';
import type { Clock } from './ports/clock.ts';
import type { Drafter } from './ports/drafter.ts';
import type { Outbox } from './ports/outbox.ts';
import { createRescueHandler } from './rescue/agent/agent.ts';
import type { RescueOutcome } from './rescue/agent/outcome.ts';
import type { Subscriber } from './rescue/subscriber.ts';
import { type Logger, createLogger } from './runtime/logger.ts';
import { Loop, type RunResult } from './runtime/loop.ts';
import { runService } from './runtime/run.ts';
import { ServiceGroup } from './runtime/service-group.ts';
import { type Service, serviceOf } from './runtime/service.ts';

/** How often the clock is measured: quiet hours and windows go by the store's time. */
const CLOCK_EVERY_MS = 10 * SECOND_MS;

/** Runs the agent until it is told to stop. @returns the exit code */
export async function runRescueAgent(config: Config): Promise<number> {
  const log = createLogger({ level: config.logLevel });
  return runService(await composeRescueAgent(config, log), { log });
}

/**
 * Connects and puts the agent together.
 * @throws UsageError where a setting that it needs is missing, or another process has its file
 */
async function composeRescueAgent(config: Config, log: Logger): Promise<Service> {
  await using opened = new AsyncDisposableStack();
  const drafter = await openDrafter(config, log);
  const hot = await openHot(config, { log });
  opened.defer(() => hot.close());
  const { clock } = hot;
  const outbox = opened.adopt(await openOutbox(config, clock), (one) => one.close());
  const { countTokens } = await import('gpt-tokenizer/encoding/o200k_base');
  const rekindle = new Rekindle(hot, config, (text) => countTokens(text));
  opened.defer(() => rekindle.close());

  const counts = new Map<string, number>();
  const handler = createRescueHandler(
    {
      recall: (event, request) => rekindle.recall(sessionOf(event, config), request),
      recordTouch: (event, touch) => rekindle.recordTouch(event, touch),
      drafter,
      outbox,
      clock,
      log,
    },
    { onOutcome: (outcome) => count(outcome, counts) },
  );
  const { agentGroup: group } = config;
  let subscriber: Subscriber | undefined;
  const connections = opened.move();
  return new ServiceGroup('rescue-agent', [
    serviceOf('connections', { stop: () => connections.disposeAsync() }),
    new Loop({
      name: 'clock',
      time: clock,
      log,
      runOnce: async (): Promise<RunResult> => {
        await hot.measureClock();
        return { sleepMs: CLOCK_EVERY_MS };
      },
    }),
    serviceOf('subscriber', {
      start: async () => {
        subscriber = await rekindle.subscribe({ group, types: ['cart.abandoned'], handler });
      },
      stop: async () => {
        await subscriber?.stop();
        log.info(Object.fromEntries(counts), 'what became of the announcements');
      },
    }),
  ]);
}

/** Where one user has several sessions at a time it is the one that was announced. */
function sessionOf({ data }: RekindleEvent<'cart.abandoned'>, config: Config): SessionRef {
  const { user, session_id: session } = data;
  const several = config.sessionKey.includes('<session_id>');
  return several && session !== null ? { user, session } : user;
}

function count(outcome: RescueOutcome, counts: Map<string, number>): void {
  const what = 'why' in outcome ? `${outcome.did}:${outcome.why}` : outcome.did;
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

/** Opens who words the messages. @throws UsageError where a setting that it needs is missing */
export async function openDrafter(config: Config, log: Logger): Promise<Drafter> {
  const { TemplatesDrafter } = await import('./adapters/drafter/templates/templates-drafter.ts');
  const templates = new TemplatesDrafter();
  if (config.agentDrafter === 'templates') return templates;
  const { OpenAiDrafter } = await import('./adapters/drafter/openai/openai-drafter.ts');
  return new OpenAiDrafter({
    ...modelOf(config, 'REKINDLE_AGENT_DRAFTER=openai'),
    fallback: templates,
    onFallback: (why) => log.warn({ why }, 'the model wrote nothing to send: a template does'),
  });
}

/** Opens where messages leave. @throws UsageError as the outboxes do, or without a secret to sign with */
export async function openOutbox(config: Config, clock: Clock): Promise<Outbox> {
  const { agentOutbox: place = join(config.dataDir, 'drafts.jsonl') } = config;
  if (!/^[a-z][a-z\d+.-]+:\/\//i.test(place)) {
    const { FileOutbox } = await import('./adapters/outbox/file/file-outbox.ts');
    return FileOutbox.open(place, clock);
  }
  const { agentWebhookSecret: secret } = config;
  if (secret === undefined)
    throw new UsageError(
      'REKINDLE_AGENT_OUTBOX is an address: it needs REKINDLE_AGENT_WEBHOOK_SECRET, which signs what is posted',
    );
  const { WebhookOutbox } = await import('./adapters/outbox/webhook/webhook-outbox.ts');
  return new WebhookOutbox({ url: place, secret, clock });
}
