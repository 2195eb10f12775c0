import { describe, it } from 'vitest';
import type { TestContext } from 'vitest';

/** Ends the running test as skipped; the run's last lines repeat the reason. */
export function didNotRun(context: TestContext, reason: string): never {
  return context.skip(reason);
}

/**
 * A `describe` that needs something this machine may lack. With a `reason` its tests are not even
 * collected, and the reason stands in the run's last lines; with `undefined` it runs like any other.
 */
export function describeUnless(reason: string | undefined, name: string, suite: () => void): void {
  describe(name, () => {
    if (reason === undefined) suite();
    else it('whole suite', (context) => didNotRun(context, reason));
  });
}
