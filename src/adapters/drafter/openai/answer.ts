/** What a model is to write, and whether it may be sent. */
import { z } from 'zod';
import { masked } from '../../../model/mask.ts';

/** Longer ones are no reminder. In characters. */
const SHORT_MAX = 600;
const MAIL_MAX = 1_500;
const SUBJECT_MAX = 120;

/** Bounds are looked at apart: strict structured output knows shapes only. */
const answerSchema = z.strictObject({ subject: z.string(), text: z.string() });

const { $schema: _, ...jsonSchema } = z.toJSONSchema(answerSchema);

/** JSON Schema of an answer, as structured output takes it. */
export const ANSWER_SCHEMA: Readonly<Record<string, unknown>> = jsonSchema;

/** With a scheme, with `www.`, or a bare host with or without a path. */
const ADDRESS =
  /(?:\b[a-z][a-z0-9+.-]*:\/\/|\bwww\.)\S+|[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)*\.\p{L}{2,}(?:\/\S*)?/giu;

export interface Written {
  readonly subject: string;
  readonly text: string;
}

/**
 * Understands an answer.
 * @param given where an address may come from
 * @returns what is wrong with it, as a text, and nothing of what it says
 */
export function understood(answer: string, mail: boolean, given: string): Written | string {
  const written = shaped(answer);
  if (!written) return 'the answer is no JSON of the shape that was asked for';
  const subject = written.subject.trim();
  const text = written.text.trim();
  if (text === '' || (mail && subject === '')) return 'the answer is empty';
  const tooLong = text.length > (mail ? MAIL_MAX : SHORT_MAX);
  if (tooLong || (mail && subject.length > SUBJECT_MAX)) return 'the answer is too long';
  // A line break in a subject is a header of somebody's own.
  if (/\p{Cc}/u.test(subject)) return 'the subject has more than one line';
  const whole = `${subject}\n${text}`;
  const known = new Set(addressesIn(given));
  if (addressesIn(whole).some((address) => !known.has(address)))
    return 'the answer has an address that was not given';
  if (masked(whole) !== whole) return 'the answer has a number or an address of somebody';
  return { subject, text };
}

function shaped(answer: string): Written | undefined {
  try {
    return answerSchema.safeParse(JSON.parse(answer)).data;
  } catch {
    return undefined;
  }
}

function addressesIn(text: string): string[] {
  return (text.match(ADDRESS) ?? []).map((one) => one.replace(/[.,;:!?)\]}"'।]+$/u, ''));
}
