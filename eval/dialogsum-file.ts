/** Reads dialogues in the form of DialogSum (Chen et al., 2021): JSON lines, a dialogue and its summary each. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { Turn } from '../src/adapters/summarizer/extractive/sentences.ts';

export const DIALOGSUM = '../shared/data/dialogues/dialogsum_dev.jsonl';

const dialogueSchema = z.looseObject({ dialogue: z.string(), summary: z.string() });

export interface Dialogue {
  readonly turns: readonly Turn[];
  readonly summary: string;
}

/**
 * @param file JSON lines with `dialogue` (a turn a line, `speaker: text`) and `summary`
 * @throws if the file cannot be read, holds none, or a line is no dialogue
 */
export function readDialogsum(file: string): Dialogue[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  const dialogues = lines.flatMap((line, index) => {
    if (line.trim() === '') return [];
    try {
      const { dialogue, summary } = dialogueSchema.parse(JSON.parse(line));
      return [{ turns: turnsOf(dialogue), summary }];
    } catch (cause) {
      throw new Error(`${file}, line ${index + 1}: no dialogue with a summary`, { cause });
    }
  });
  if (dialogues.length === 0) throw new Error(`${file}: no dialogues`);
  return dialogues;
}

/** A line without a speaker goes on with the turn before. */
function turnsOf(dialogue: string): Turn[] {
  const turns: Turn[] = [];
  for (const line of dialogue.split('\n')) {
    const [, speaker, text = ''] = /^\s*([^:]{1,40}):\s*(.*)$/.exec(line) ?? [];
    const last = turns.at(-1);
    if (speaker !== undefined) turns.push({ speaker, text });
    else if (last) turns[turns.length - 1] = { ...last, text: `${last.text} ${line.trim()}` };
    else turns.push({ speaker: '', text: line.trim() });
  }
  return turns;
}
