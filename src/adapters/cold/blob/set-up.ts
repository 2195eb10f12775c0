import { randomUUID } from 'node:crypto';
import { type ContainerClient, RestError } from '@azure/storage-blob';
import { errorMessage } from '../../../model/errors.ts';
import type { Diagnosis } from '../../../model/diagnosis.ts';
import { codeOf, inOurWords } from './trouble.ts';

/** Below it lie blobs that stand for a moment, to see what may be done. */
const PROBES = 'probes/';

const MAKE: Pick<Diagnosis, 'change'> = { change: '`rekindle setup --apply` makes the container' };
const TAG_RIGHTS =
  'give the role Storage Blob Data Owner (or a SAS that may tag), or set up without tags';

/** Longest time a probe may take, real time. */
const PROBE_TIMEOUT_MS = 15_000;

/**
 * Sees that the container is there.
 * @param how.apply make it if it is not
 */
export async function setUpContainer(
  container: ContainerClient,
  { apply }: { readonly apply: boolean },
): Promise<readonly Diagnosis[]> {
  const { containerName: name } = container;
  return orRefused(name, async (abortSignal) => {
    if (!apply) {
      if (await container.exists({ abortSignal }))
        return [{ level: 'ok', what: `the container ${name} is there` }];
      return [{ level: 'refuse', what: `there is no container ${name}`, ...MAKE }];
    }
    const { succeeded } = await container.createIfNotExists({ abortSignal });
    const what = `the container ${name} ${succeeded ? 'was made' : 'is there'}`;
    return [{ level: 'ok', what }];
  });
}

/**
 * Says whether the cold tier can use a container: writes a small blob, with tags if objects are to have them, reads it,
 * lists it, and removes it; and whether what is erased would be kept all the same.
 */
export async function examineContainer(
  container: ContainerClient,
  { tags = true }: { readonly tags?: boolean } = {},
): Promise<readonly Diagnosis[]> {
  const { containerName: name } = container;
  return orRefused(name, async (abortSignal) => {
    const probe = container.getBlockBlobClient(`${PROBES}${randomUUID()}`);
    const findings: Diagnosis[] = [];
    const conditions = { ifNoneMatch: '*' };
    const write = (how: { readonly tags?: Record<string, string> }) =>
      probe.upload('probe', 5, { abortSignal, conditions, ...how });
    let written = tags
      ? await write({ tags: { kind: 'probe' } }).catch((error: unknown) => error)
      : await write({});
    if (written instanceof Error) {
      if (!(written instanceof RestError) || codeOf(written) === 'ContainerNotFound') throw written;
      // What else may be wrong is wrong without tags as well.
      const status = written.statusCode ?? '';
      written = await write({});
      const what = `the container ${name} takes no tags of us (${status}), so nothing can be written`;
      findings.push({ level: 'refuse', what, change: TAG_RIGHTS });
    }
    await probe.downloadToBuffer(0, undefined, { abortSignal });
    await probe.delete({ abortSignal });
    const isKept = await keptAfterwards(container, probe.name, abortSignal);
    if (isKept || hasVersion(written))
      findings.push({
        level: 'warn',
        what: `the account of ${name} keeps what is deleted (soft delete or versions), so what is erased stays for as long`,
        change: 'turn soft delete and versioning off, or keep both shorter than erasures may take',
      });
    if (findings.some(({ level }) => level === 'refuse')) return findings;
    return [{ level: 'ok', what: `the container ${name} can be used` }, ...findings];
  });
}

/** Whether a blob that was deleted is still there to be brought back. */
async function keptAfterwards(
  container: ContainerClient,
  prefix: string,
  abortSignal: AbortSignal,
): Promise<boolean> {
  const left = container.listBlobsFlat({ prefix, includeDeleted: true, abortSignal });
  for await (const _blob of left) return true;
  return false;
}

function hasVersion(written: unknown): boolean {
  return typeof written === 'object' && written !== null && 'versionId' in written
    ? written.versionId !== undefined
    : false;
}

async function orRefused(
  name: string,
  work: (abortSignal: AbortSignal) => Promise<readonly Diagnosis[]>,
): Promise<readonly Diagnosis[]> {
  const signal = AbortSignal.timeout(PROBE_TIMEOUT_MS);
  try {
    return await work(signal);
  } catch (error) {
    const code = error instanceof RestError ? codeOf(error) : undefined;
    return [
      {
        level: 'refuse',
        what: errorMessage(inOurWords(name, error, { isLate: signal.aborted })),
        ...(code === 'ContainerNotFound' && MAKE),
      },
    ];
  }
}
