/** What stands in the cold tier, as text: transcripts, and what was learned of each. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { DamagedObjectError } from '../model/errors.ts';
import { insightSourceSchema } from '../model/insight-schema.ts';
import { INSIGHT_KINDS } from '../model/insight.ts';
import { isoInstant } from '../model/instant.ts';
import { said } from '../model/said.ts';
import { OUTCOMES, type Transcript } from '../model/transcript.ts';
import type { Summary } from '../ports/summarizer.ts';

const VERSION = 1;

const instant = z.iso.datetime().transform((text) => Date.parse(text));

const transcriptSchema = z.object({
  version: z.literal(VERSION),
  user: z.string(),
  session: z.string().optional(),
  started_at: instant,
  ended_at: instant,
  outcome: z.enum(OUTCOMES).optional(),
  fields: z.record(z.string(), z.string()),
  messages: z.array(z.string()),
});

const recordSchema = z.object({
  version: z.literal(VERSION),
  user: z.string(),
  /** Name of the transcript, which is the record's own. */
  transcript: z.string(),
  ended_at: instant,
  by: z.string(),
  summary: z.string(),
  findings: z.array(
    z.object({
      kind: z.enum(INSIGHT_KINDS),
      text: z.string(),
      sources: z.array(insightSourceSchema),
      supersedes: z.array(z.string()).optional(),
    }),
  ),
});

/**
 * The name of a transcript, and of the record of what was learned from it: the day on which it ended, and a hash of whose it
 * is and of its messages. What else stands in it may be known better when it is written a second time; its first writing
 * stands.
 */
export function nameOfTranscript({ user, session, messages, endedAt }: Transcript): string {
  const parts = [user, session ?? null, messages.map(({ raw }) => raw)];
  const digest = createHash('sha256').update(JSON.stringify(parts)).digest('hex');
  return `${isoInstant(endedAt).slice(0, 'yyyy-mm-dd'.length)}-${digest.slice(0, 32)}`;
}

export function transcriptText(transcript: Transcript): string {
  const { user, session, startedAt, endedAt, outcome, fields, messages } = transcript;
  return JSON.stringify({
    version: VERSION,
    user,
    session,
    started_at: isoInstant(startedAt),
    ended_at: isoInstant(endedAt),
    outcome,
    fields,
    messages: messages.map(({ raw }) => raw),
  });
}

/** @throws DamagedObjectError if the text is none */
export function parseTranscript(name: string, text: string): Transcript {
  const read = parsed(transcriptSchema, `the transcript ${name}`, text);
  return {
    user: read.user,
    ...(read.session !== undefined && { session: read.session }),
    startedAt: read.started_at,
    endedAt: read.ended_at,
    outcome: read.outcome,
    fields: read.fields,
    messages: read.messages.map(said),
  };
}

/** What was learned of one conversation, by whom. */
export interface InsightRecord extends Summary {
  readonly user: string;
  readonly transcript: string;
  /** When the conversation ended, Unix milliseconds. */
  readonly endedAt: number;
  /** `Summarizer.name` */
  readonly by: string;
}

export function recordText(record: InsightRecord): string {
  const { user, transcript, endedAt, by, text, findings } = record;
  return JSON.stringify({
    version: VERSION,
    user,
    transcript,
    ended_at: isoInstant(endedAt),
    by,
    summary: text,
    findings,
  });
}

/** @throws DamagedObjectError if the text is none */
export function parseRecord(name: string, text: string): InsightRecord {
  const read = parsed(recordSchema, `the insight record ${name}`, text);
  const { user, transcript, by, summary } = read;
  const findings = read.findings.map(({ supersedes, ...finding }) => ({
    ...finding,
    ...(supersedes && { supersedes }),
  }));
  return { user, transcript, endedAt: read.ended_at, by, text: summary, findings };
}

function parsed<S extends z.ZodType>(schema: S, what: string, text: string): z.output<S> {
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    // Its words would quote what was said.
    const where = error instanceof z.ZodError ? error.issues[0]?.path.join('.') : 'its JSON';
    throw new DamagedObjectError(`${what} cannot be understood, at ${where}`);
  }
}
