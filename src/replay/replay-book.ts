import type { AnyEvent } from '../model/event.ts';
import type { RescueFact, RescueLog } from '../ports/rescue-log.ts';
import { factOf } from '../rescue/report/fact.ts';
import { type Report, buildReport } from '../rescue/report/report.ts';

/** Facts that go into the log at once. */
const BATCH = 500;

/** Everything is kept: a file may be of any year. */
const KEPT_FROM = -Infinity;

/** Keeps the report of a replay: the facts of all events, as the daemon's reporter folds them. */
export class ReplayBook {
  readonly #log: RescueLog;
  #facts: RescueFact[] = [];

  constructor(log: RescueLog) {
    this.#log = log;
  }

  async note(event: AnyEvent): Promise<void> {
    const fact = factOf(event);
    if (fact) this.#facts.push(fact);
    if (this.#facts.length >= BATCH) await this.#fold();
  }

  /** The report of a span, both ends included; Unix milliseconds. */
  async report(span: { readonly from: number; readonly to: number }): Promise<Report> {
    await this.#fold();
    return buildReport(await this.#log.count(span));
  }

  async #fold(): Promise<void> {
    const facts = this.#facts;
    this.#facts = [];
    await this.#log.fold(facts, KEPT_FROM);
  }
}
