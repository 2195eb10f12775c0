import { RestError } from '@azure/storage-blob';
import { ColdUnavailableError } from '../../../model/errors.ts';

/** What is the matter, by the status of the answer. */
const BY_STATUS: ReadonlyMap<number, string> = new Map([
  [401, 'it does not know us; give it a valid credential, key or SAS'],
  [
    403,
    'it does not let us; give the role Storage Blob Data Owner, or a key or SAS that is valid and may read, write, delete, list and tag',
  ],
  [404, 'it is not there; make it with `rekindle setup --apply`, and try again'],
  [429, 'it is throttled; try again'],
  [500, 'it is in trouble; try again'],
  [503, 'it is busy; try again'],
]);

const OTHER = 'it refuses the request; try again';
const AWAY = 'it is away; try again';
const LATE = 'it did not answer in time; try again';

/** What credentials reject with; their package need not be loaded for a key or a SAS. */
const NO_TOKEN =
  /^(CredentialUnavailable|Authentication|AuthenticationRequired|AggregateAuthentication)Error$/;

/** The service's word for what went wrong; answers to HEAD have it in a header only. */
export function codeOf(error: RestError): string | undefined {
  return error.response?.headers.get('x-ms-error-code') ?? error.code;
}

/**
 * Says in words of ours why a container cannot be used. The client's own words stay out of it, and the client's error
 * too: they hold addresses, in which a SAS may stand, and what was to be signed.
 */
export function inOurWords(
  container: string,
  error: unknown,
  { isLate }: { readonly isLate: boolean },
): unknown {
  const what = isLate ? LATE : told(error);
  return what === undefined
    ? error
    : new ColdUnavailableError(`the cold tier's container ${container}: ${what}`);
}

function told(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error instanceof RestError) {
    const status = error.statusCode;
    if (status === undefined) return `${AWAY} (${error.code ?? 'no answer'})`;
    const id = error.response?.headers.get('x-ms-request-id');
    const details = [status, codeOf(error), id && `request ${id}`].filter(Boolean).join(' ');
    return `${BY_STATUS.get(status) ?? OTHER} (${details})`;
  }
  if (isBrokenOff(error)) return `${AWAY} (its answer broke off)`;
  if (NO_TOKEN.test(error.name)) return `there is no token for it now (${error.name}); try again`;
  return undefined;
}

/** Whether the body of an answer ended early: the client takes it for a call that we gave up, or counts what is missing. */
export function isBrokenOff(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.name === 'AbortError' || error.message.startsWith('Data corruption failure');
}
