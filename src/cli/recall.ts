import { Command } from 'commander';
import { recallPorts } from '../compose-recall.ts';
import { coldPlace, openStandingCold } from '../compose-cold.ts';
import { openStandingWarm, warmPlace } from '../compose-warm.ts';
import { openHot } from '../compose.ts';
import { SECOND_MS } from '../model/duration.ts';
import { UsageError } from '../model/errors.ts';
import { userIdProblem } from '../model/user-id.ts';
import { contextOf } from '../recall/build-context.ts';
import { BUDGET_TOKENS, recall } from '../recall/recall.ts';
import type { Dropped } from '../recall/recalled.ts';
import { configOf, printJson, printLines, withSettings } from './context.ts';
import { positiveInteger } from './options.ts';
import { printable, printableLines } from '../runtime/printable.ts';

/** A person waits longer than a model's next answer may: the tiers are opened first. */
const DEADLINE_MS = 5 * SECOND_MS;

interface Flags {
  readonly query?: string;
  readonly topic?: string;
  readonly session?: string;
  readonly budget: number;
  readonly json?: boolean;
}

/** `rekindle recall USER` */
export function recallCommand(): Command {
  const command = new Command('recall')
    .description('Show what a model would be told of a user for its next answer, and what not.')
    .argument('<user>', 'the user id, as in the session key')
    .option('--query <text>', 'what is to be answered; without it, the latest comes first')
    .option('--topic <text>', 'what was said of it within 7 days comes first')
    .option('--session <id>', 'the session, where one user has several; else nothing hot is shown')
    .option('--budget <tokens>', 'tokens of o200k_base', positiveInteger, BUDGET_TOKENS)
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  rekindle recall 4711 --query "which size did I order?"');
  withSettings(command);
  return command.action(async (user: string, flags: Flags) => {
    const { query, topic, session, budget: budgetTokens, json } = flags;
    const impossible = userIdProblem(user);
    if (impossible) throw new UsageError(impossible.detail);
    const config = await configOf(command);
    await using opened = new AsyncDisposableStack();
    const hot = await openHot(config);
    opened.defer(() => hot.close());
    const { names } = hot.sessions;
    const ref = session === undefined ? names.userRef(user) : names.refOf({ user, session });
    // Opened at once, so that it can be closed: whoever only looks makes no file.
    const warm = openStandingWarm(config, hot.clock);
    opened.defer(async () => (await warm.catch(() => undefined))?.close());
    const cold = openStandingCold(config, hot.clock);
    opened.defer(async () => (await cold.catch(() => undefined))?.close());
    const { countTokens } = await import('gpt-tokenizer/encoding/o200k_base');
    const beside = {
      openWarm: async () => (await warm) ?? absent(warmPlace(config)),
      openCold: async () => (await cold) ?? absent(coldPlace(config)),
    };
    const ports = recallPorts(hot, beside, countTokens);
    const recalled = await recall(
      ref,
      { query, topic, budgetTokens, deadlineMs: DEADLINE_MS },
      ports,
    );
    if (json) {
      printJson({ user, ...recalled });
      return;
    }
    const { immediate, relevant, insights } = contextOf(recalled);
    const parts = [immediate, relevant, insights].filter((text) => text !== '');
    if (parts.length === 0) printLines(['nothing is known of this user']);
    else process.stdout.write(`${parts.map((text) => printableLines(text)).join('\n')}\n`);
    printLines([`${recalled.tokens} of ${budgetTokens} tokens`, ...droppedLines(recalled.dropped)]);
  });
}

/** Not the same as to know nothing: a wrong folder looks so. */
function absent(path: string): never {
  throw new Error(`${path} is not there: nothing was taken to it from here`);
}

/** How many were left out and why, in place of each. */
function droppedLines(dropped: readonly Dropped[]): string[] {
  const groups = Map.groupBy(dropped, ({ tier, reason, detail }) =>
    [tier, reason, ...(detail === undefined ? [] : [detail])].join(', '),
  );
  return [...groups].map(
    ([why, some]) => `left out: ${some.length === 1 ? '' : `${some.length} × `}${printable(why)}`,
  );
}
