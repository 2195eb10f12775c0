import type { Clock } from '../../../ports/clock.ts';
import type { Heads } from './heads.ts';
import type { Call } from './requests.ts';

/** What a call about one owner works with. */
export interface Ground {
  readonly call: Call;
  readonly heads: Heads;
  readonly clock: Pick<Clock, 'now'>;
  readonly partition: string;
}
