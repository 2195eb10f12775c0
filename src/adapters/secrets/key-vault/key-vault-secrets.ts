import type { TokenCredential } from '@azure/identity';
import { SecretClient } from '@azure/keyvault-secrets';
import { SecretUnavailableError, UsageError } from '../../../model/errors.ts';
import type { SecretStore } from '../../../ports/secrets.ts';

export interface KeyVaultOptions {
  /** For instance `https://NAME.vault.azure.net`. */
  readonly url: string;
  readonly credential: TokenCredential;
  /** How long a read may take, all tries together; real time. Default 15 s. */
  readonly timeoutMs?: number;
  /** How often a read is tried again. Default 3. */
  readonly maxRetries?: number;
  /** The wait before the first of these, unless the vault says how long; it doubles, up to 4 s. Default 500 ms. */
  readonly retryDelayMs?: number;
  /** Whether the vault's address must be one of those that its tokens are for; false for a server of one's own. Default true. */
  readonly isInAzure?: boolean;
}

const TIMEOUT_MS = 15_000;
const MAX_RETRIES = 3;
const RETRY_DELAY_MS = 500;
const LONGEST_RETRY_DELAY_MS = 4_000;

/** learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates, "Vault-name and Object-name". */
const NAME = /^[0-9a-zA-Z-]{1,127}$/;

const BY_STATUS: ReadonlyMap<number, string> = new Map([
  [401, 'the vault does not know us'],
  [
    403,
    'the vault does not let us: the role Key Vault Secrets User is missing, the network is closed, or the secret is disabled',
  ],
  [429, 'the vault is throttled'],
]);

/** Secrets of an Azure Key Vault. */
export class KeyVaultSecrets implements SecretStore {
  readonly #client: SecretClient;
  readonly #url: string;
  readonly #timeoutMs: number;

  /** Nothing is sent. @throws UsageError if the URL is none */
  constructor({
    url,
    credential,
    timeoutMs = TIMEOUT_MS,
    isInAzure = true,
    ...retries
  }: KeyVaultOptions) {
    if (!URL.canParse(url)) throw new UsageError('the URL of the key vault is none');
    const { maxRetries = MAX_RETRIES, retryDelayMs = RETRY_DELAY_MS } = retries;
    this.#url = url;
    this.#timeoutMs = timeoutMs;
    this.#client = new SecretClient(url, credential, {
      disableChallengeResourceVerification: !isInAzure,
      retryOptions: {
        maxRetries,
        retryDelayInMs: retryDelayMs,
        maxRetryDelayInMs: LONGEST_RETRY_DELAY_MS,
      },
    });
  }

  async read(name: string, signal?: AbortSignal): Promise<string> {
    if (!NAME.test(name))
      throw new UsageError('a secret of a key vault has a name of 1 to 127 letters, digits and -');
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    const abortSignal = signal ? AbortSignal.any([signal, timeout]) : timeout;
    try {
      const { value } = await this.#client.getSecret(name, { abortSignal });
      if (value !== undefined) return value;
    } catch (error) {
      throw this.#inOurWords(name, error, { isLate: timeout.aborted });
    }
    throw new SecretUnavailableError(`the secret ${name} of ${this.#url} has no value`);
  }

  /** The client's own error stays out of it: answers of a vault may stand in there. */
  #inOurWords(name: string, error: unknown, { isLate }: { readonly isLate: boolean }): Error {
    const which = `the secret ${name} of ${this.#url}`;
    const status = statusOf(error);
    if (status === 404) return new UsageError(`there is no ${which.slice('the '.length)}`);
    if (isLate) return new SecretUnavailableError(`${which} did not come in time`);
    if (status !== undefined) {
      const what = BY_STATUS.get(status) ?? 'the vault refuses';
      return new SecretUnavailableError(`${which} cannot be had now: ${what} (${status})`);
    }
    const what = error instanceof Error ? codeOf(error) : 'unknown error';
    return new SecretUnavailableError(`${which} cannot be had now (${what})`);
  }
}

function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('statusCode' in error)) return undefined;
  return typeof error.statusCode === 'number' ? error.statusCode : undefined;
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}
