import { INSIGHT_KINDS, type Finding, type Insight } from '../model/insight.ts';
import type { Transcript } from '../model/transcript.ts';
import type { Summary } from '../ports/summarizer.ts';

/** A longer text is no insight, and a longer summary no summary. */
const FINDING_MAX_CHARS = 1_000;
const SUMMARY_MAX_CHARS = 20_000;
const FINDINGS_MAX = 200;

/**
 * Refuses a summary that cannot be one: whoever made it, every source is a message of this conversation, by its id and its
 * hash, and nothing is superseded that was not known. Its words tell what is wrong, and quote nothing.
 */
export function checkSummary(
  { text, findings }: Summary,
  { messages }: Transcript,
  known: readonly Insight[],
): void {
  // Of pictures alone there may be nothing to say.
  if (typeof text !== 'string' || text.length > SUMMARY_MAX_CHARS)
    throw new Error(`a summary is a text of at most ${SUMMARY_MAX_CHARS} characters`);
  if (!Array.isArray(findings) || findings.length > FINDINGS_MAX)
    throw new Error(`a summary has at most ${FINDINGS_MAX} findings`);
  const sources = new Set(
    messages.map(({ named, message, identity }) => `${named ? message.id : identity}\0${identity}`),
  );
  const ids = new Set(known.map(({ id }) => id));
  for (const [index, finding] of findings.entries()) {
    const problem = problemOf(finding, sources, ids);
    if (problem !== undefined) throw new Error(`finding ${index + 1} of a summary ${problem}`);
  }
}

function problemOf(
  { kind, text, sources, supersedes = [] }: Finding,
  messages: ReadonlySet<string>,
  known: ReadonlySet<string>,
): string | undefined {
  if (!INSIGHT_KINDS.includes(kind)) return `is of no kind: ${INSIGHT_KINDS.join(', ')}`;
  if (typeof text !== 'string' || text.trim() === '' || text.length > FINDING_MAX_CHARS)
    return `is no text of 1 to ${FINDING_MAX_CHARS} characters`;
  if (sources.length === 0) return 'names no message that it comes from';
  if (sources.some(({ message, hash }) => !messages.has(`${message}\0${hash}`)))
    return 'names a message that the conversation does not have';
  if (supersedes.some((id) => !known.has(id))) return 'supersedes what was not known';
  return undefined;
}
