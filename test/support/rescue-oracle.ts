import type { AnyEvent, CartEvent, RekindleEvent } from '../../src/model/event.ts';
import type { Span } from '../../src/ports/rescue-log.ts';

/** What the report of these events should add up to, told as lines: by going over all of them again for each line. */
export function expectedLines(told: readonly AnyEvent[], span: Span, keptFrom: number): string[] {
  const events = [...new Map(told.map((event) => [event.id, event])).values()];
  const standing = events.filter(
    (event): event is CartEvent =>
      event.type !== 'user.erased' &&
      Date.parse(event.time) >= keptFrom &&
      !events.some(
        (other) =>
          other.type === 'user.erased' &&
          other.data.user === event.data.user &&
          Date.parse(event.data.episode) <= Date.parse(other.data.erased_at),
      ),
  );
  const inSpan = (text: string): boolean =>
    Date.parse(text) >= span.from && Date.parse(text) <= span.to;
  const announced = standing.filter(
    (event): event is RekindleEvent<'cart.abandoned'> =>
      event.type === 'cart.abandoned' && inSpan(event.time),
  );
  const lines: string[] = [];
  for (const announcement of announced) {
    const { stage, channel, contact } = announcement.data;
    const group = `${String(stage)} ${channel ?? '-'}`;
    lines.push(`${group} ${contact.basis === 'holdout' ? 'holdout' : contact.allowed}`);
    const about = standing.filter(
      (event) => event.type !== 'cart.abandoned' && event.data.announcement_id === announcement.id,
    );
    if (about.some(({ type }) => type === 'cart.touched')) lines.push(`${group} touched`);
    for (const event of about) {
      if (event.type === 'cart.touched') lines.push(`${String(stage)} sent ${event.data.channel}`);
      if (event.type === 'cart.rescue_cancelled') lines.push(`${group} ${event.data.reason}`);
      if (event.type === 'cart.recovered')
        lines.push(`${group} ${event.data.class} ${String(event.data.value)}`);
    }
  }
  for (const user of new Set(announced.map(({ data }) => data.user))) {
    const [first] = announced
      .filter(({ data }) => data.user === user)
      .sort(
        (a, b) =>
          Date.parse(a.time) - Date.parse(b.time) ||
          Number(b.data.contact.basis === 'holdout') - Number(a.data.contact.basis === 'holdout'),
      );
    const arm = first?.data.contact.basis === 'holdout' ? 'control' : 'treatment';
    const orders = standing.filter(
      (event): event is RekindleEvent<'cart.recovered'> =>
        event.type === 'cart.recovered' &&
        event.data.user === user &&
        Date.parse(event.data.ordered_at) >= Date.parse(first?.time ?? '') &&
        Date.parse(event.data.ordered_at) <= span.to,
    );
    const value = orders.reduce((total, { data }) => total + data.value, 0);
    lines.push(`${arm} ${orders.length > 0 ? 'ordered' : 'did not order'} ${String(value)}`);
  }
  return lines;
}
