/** Did the agent write to whom it should, and to nobody else? By the shop's own record of its people. */
import type { RescueEvent } from '../model/event.ts';
import type { OutgoingMessage } from '../ports/outbox.ts';
import type { Language } from './phrases.ts';
import type { RescueDesk } from './rescue-desk.ts';
import type { Visit } from './shop.ts';

/** The languages that there are templates for. */
const WRITTEN_IN: Readonly<Record<Language, string>> = { en: 'en', hi: 'hi', 'hi-Latn': 'hi-en' };

export interface RescueWork {
  readonly visits: readonly Visit[];
  readonly heard: readonly RescueEvent[];
  readonly desk: Pick<RescueDesk, 'written' | 'outcomes'>;
}

/** Announcements up to `until` that the agent neither answered nor was called back from. */
export function unanswered(
  { heard, desk }: Omit<RescueWork, 'visits'>,
  until: number,
): readonly RescueEvent[] {
  const calledBack = takenBack(heard);
  return heard.filter(
    ({ type, id, time }) =>
      type === 'cart.abandoned' &&
      Date.parse(time) <= until &&
      !desk.outcomes.has(id) &&
      !calledBack.has(id),
  );
}

/** Announcements that the agent was called back from before it could do anything. */
export function calledBack({ heard, desk }: Omit<RescueWork, 'visits'>): number {
  const back = takenBack(heard);
  return heard.filter(({ type, id }) => {
    if (type !== 'cart.abandoned') return false;
    const outcome = desk.outcomes.get(id);
    return outcome ? outcome.did === 'dropped' : back.has(id);
  }).length;
}

/** What is wrong with its messages, and with what it did not write; in words. */
export function messageProblems(
  { visits, heard, desk }: RescueWork,
  messages: readonly OutgoingMessage[],
  until: number,
): string[] {
  const problems: string[] = [];
  const visitOf = new Map(visits.map((visit) => [visit.shopper.user, visit]));
  const announcements = new Map(
    heard.flatMap((event) => (event.type === 'cart.abandoned' ? [[event.id, event]] : [])),
  );
  const writtenFor = new Map(desk.written.map((one) => [one.announcement.id, one]));
  const seen = new Set<string>();
  for (const { user, announcement_id: id, channel, language } of messages) {
    const announcement = announcements.get(id);
    const visit = visitOf.get(user);
    const written = writtenFor.get(id);
    const say = (what: string): unknown => problems.push(`${user}: a message ${what}`);
    if (seen.has(id)) say('was sent twice');
    seen.add(id);
    if (!announcement || !visit || !written) {
      say('answers no announcement');
      continue;
    }
    const { shopper, deeds } = visit;
    if (announcement.data.user !== user) say('answers the announcement of somebody else');
    if (!shopper.consents || shopper.foreign) say('went to somebody who had not agreed');
    if (announcement.data.contact.basis === 'holdout') say('went to one of the hold-out');
    if (channel !== shopper.channel || language !== WRITTEN_IN[shopper.language])
      say(`went by ${channel} in ${language}`);
    const quietSince = Date.parse(announcement.data.last_activity);
    const late = deeds.find((deed) => deed.at > quietSince && deed.knownAt <= written.draftedAt);
    if (late) say(`was sent though its user had ${late.did} before`);
  }
  for (const { id, data } of announcements.values()) {
    const { shopper } = visitOf.get(data.user) ?? {};
    const outcome = desk.outcomes.get(id);
    if ((outcome?.did === 'sent' || outcome?.did === 'noted') && !seen.has(id))
      problems.push(`${data.user}: a message is not in the outbox`);
    if (outcome?.did === 'skipped' && shopper?.consents && !shopper.foreign)
      if (outcome.why !== 'holdout') problems.push(`${data.user}: skipped for ${outcome.why}`);
  }
  for (const { id, data } of unanswered({ heard, desk }, until))
    problems.push(`${data.user}: nothing became of the announcement ${id}`);
  return problems;
}

/** Those that were cancelled, and those that a later stage of the same episode has overtaken. */
function takenBack(heard: readonly RescueEvent[]): ReadonlySet<string> {
  const announcements = heard.filter(({ type }) => type === 'cart.abandoned');
  const episodes = Map.groupBy(announcements, ({ data }) => `${data.user} ${data.episode}`);
  const overtaken = [...episodes.values()].flatMap((stages) => {
    const latest = Math.max(...stages.map(({ data }) => data.stage));
    return stages.filter(({ data }) => data.stage < latest).map(({ id }) => id);
  });
  const cancelled = heard.flatMap(({ data }) =>
    'announcement_id' in data ? [data.announcement_id] : [],
  );
  return new Set([...cancelled, ...overtaken]);
}
