/** The demo's sense of time, all in milliseconds. */
export interface Timing {
  /** For how long people do things. */
  readonly spanMs: number;
  /** Inactivity after which a cart is announced. */
  readonly stagesMs: readonly [number, number];
  /** Who comes back sooner after a due instant than this may be seen before the announcement is made. */
  readonly sureMs: number;
  /** How long a session stays hot after the last activity; undefined: nobody brings it back. */
  readonly hotLifeMs?: number;
}

/**
 * In 20 seconds: stages of 3 s and 8 s, so that two announcements and a return fit. A session stays hot for longer than
 * those are away who come back after the first announcement, and shorter than those after the second: 7.5 s.
 */
export function timingFor(seconds: number): Required<Timing> & { readonly reviewMs: number } {
  const spanMs = seconds * 1_000;
  const stagesMs = [Math.round(spanMs * 0.15), Math.round(spanMs * 0.4)] as const;
  const sureMs = Math.min(1_500, (stagesMs[1] - stagesMs[0]) / 2);
  const outMs = SURE_FACTOR * sureMs;
  const hotLifeMs = Math.round((stagesMs[0] * (1 + LINGER) + stagesMs[1]) / 2 + outMs);
  // Some are back by then, and some are not.
  const reviewMs = Math.round(outMs + stagesMs[0] * LINGER * REVIEWED_AT);
  return { spanMs, stagesMs, sureMs, hotLifeMs, reviewMs };
}

/** An announcement that is looked over is held until this share of those who come back may have come. */
const REVIEWED_AT = 0.5;

/** Who waits for an announcement waits so many times as long as it takes to be out for sure. */
export const SURE_FACTOR = 1.1;

/** And then up to this share of the first threshold. */
export const LINGER = 0.2;
