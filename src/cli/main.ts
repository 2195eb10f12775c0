#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { Command, CommanderError } from 'commander';
import { EXIT, runMain } from '../runtime/main.ts';

/** Each command is loaded when it is named: `rekindle config` needs neither a queue nor a web server. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  daemon: async () => (await import('./daemon.ts')).daemonCommand(),
  demo: async () => (await import('./demo.ts')).demoCommand(),
  replay: async () => (await import('./replay.ts')).replayCommand(),
  backtest: async () => (await import('./backtest.ts')).backtestCommand(),
  subscribe: async () => (await import('./subscribe.ts')).subscribeCommand(),
  inspect: async () => (await import('./inspect.ts')).inspectCommand(),
  recall: async () => (await import('./recall.ts')).recallCommand(),
  reconcile: async () => (await import('./reconcile.ts')).reconcileCommand(),
  demote: async () => (await import('./demote.ts')).demoteCommand(),
  compact: async () => (await import('./compact.ts')).compactCommand(),
  erase: async () => (await import('./erase.ts')).eraseCommand(),
  quarantine: async () => (await import('./quarantine.ts')).quarantineCommand(),
  deadletters: async () => (await import('./deadletters.ts')).deadlettersCommand(),
  report: async () => (await import('./report.ts')).reportCommand(),
  setup: async () => (await import('./setup.ts')).setupCommand(),
  doctor: async () => (await import('./doctor.ts')).doctorCommand(),
  config: async () => (await import('./config.ts')).configCommand(),
};

async function main(args: readonly string[]): Promise<number> {
  const program = new Command('rekindle')
    .description('Notices carts that went quiet and tells a rescue agent.')
    .version(version())
    .addHelpText('after', '\nExample:\n  rekindle daemon --stages 30m,20h,72h')
    .showSuggestionAfterError()
    .exitOverride();
  const named = args.find((arg) => !arg.startsWith('-'));
  const wanted =
    named !== undefined && Object.hasOwn(COMMANDS, named) ? [named] : Object.keys(COMMANDS);
  for (const name of wanted) {
    const load = COMMANDS[name];
    if (load) program.addCommand(throwing(await load()));
  }
  try {
    await program.parseAsync(args, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    // It has told the person already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.wrongUsage;
    throw error;
  }
}

/** Lets a command, and those below it, throw where it would end the process: wrong usage has an exit code of ours. */
function throwing(command: Command): Command {
  command.commands.forEach(throwing);
  return command.exitOverride();
}

function version(): string {
  const path = findPackageJSON(import.meta.url);
  return path === undefined
    ? 'unknown'
    : (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}

await runMain(() => main(process.argv.slice(2)));
