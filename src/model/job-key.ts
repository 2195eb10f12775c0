import { UsageError } from './errors.ts';

/** As long as a user id may be: what a job is mostly named by. */
const JOB_KEY_MAX_BYTES = 512;

/**
 * Refuses what cannot name a job: no text, nothing, or more than 512 bytes.
 * @throws UsageError
 */
export function checkJobKeys(keys: readonly string[]): void {
  for (const key of keys) {
    const bytes = Buffer.byteLength(key);
    if (bytes === 0 || bytes > JOB_KEY_MAX_BYTES) {
      throw new UsageError(
        `a job's key has 1 to ${JOB_KEY_MAX_BYTES} bytes; this one has ${bytes}: ${key.slice(0, 64)}`,
      );
    }
    // Half a surrogate pair would be stored as U+FFFD: keys that differ would become one.
    if (!key.isWellFormed()) throw new UsageError("a job's key is valid Unicode text");
  }
}
