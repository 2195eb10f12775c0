import type { Command } from 'commander';
import { printable, printableLines } from '../runtime/printable.ts';
import { openOwnConfig } from '../compose-config.ts';
import { type Config, settingsTable } from '../config.ts';

/** Lets a command take every setting as a flag; `rekindle config --help` lists them. */
export function withSettings(command: Command): Command {
  for (const { flag, means } of settingsTable()) {
    command.addOption(command.createOption(`${flag} <text>`, means).hideHelp());
  }
  return command.addHelpText(
    'after',
    '\nEvery setting may be given as a flag, such as --stages 30m,20h; `rekindle config --help` lists them.',
  );
}

/** The flags of a command that are settings. */
export function settingFlags(command: Command): Record<string, unknown> {
  const names = new Set(settingsTable().map(({ flag }) => camelCase(flag.slice(2))));
  return Object.fromEntries(Object.entries(command.opts()).filter(([name]) => names.has(name)));
}

/** The settings in force for a command, with the secrets that they take from a vault. */
export function configOf(command: Command): Promise<Config> {
  return openOwnConfig(settingFlags(command));
}

export function printJson(value: unknown): void {
  process.stdout.write(`${printableLines(JSON.stringify(value, undefined, 2))}\n`);
}

export function printLines(lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}

/** Rows of texts as aligned columns, one line a row. */
export function columns(texts: readonly (readonly string[])[]): string[] {
  const rows = texts.map((row) => row.map(printable));
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries())
      widths[index] = Math.max(widths[index] ?? 0, cell.length);
  }
  return rows.map((row) =>
    row
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function camelCase(kebab: string): string {
  return kebab.replace(/-(.)/g, (_all, letter: string) => letter.toUpperCase());
}
