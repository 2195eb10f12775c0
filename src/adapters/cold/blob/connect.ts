import type { TokenCredential } from '@azure/identity';
import {
  BlobServiceClient,
  type ContainerClient,
  type StoragePipelineOptions,
  StorageRetryPolicyType,
} from '@azure/storage-blob';
import { UsageError } from '../../../model/errors.ts';

/**
 * How an account is reached: as somebody who has a role there, with a URL that holds a SAS, or with a connection string
 * (a key, or a SAS).
 */
export type BlobAccount =
  | { readonly url: string; readonly credential?: TokenCredential | undefined }
  | { readonly connectionString: string };

export interface BlobConnectOptions {
  /** How often a request is sent at most. Default 4. */
  readonly maxTries?: number;
  /** The wait before the third time; it doubles, and is never longer than 8 times so much. Default 500 ms. */
  readonly retryDelayMs?: number;
  /** How long the service may work on one try; it counts in seconds. Default 15 s. */
  readonly tryTimeoutMs?: number;
}

const DEFAULTS = { maxTries: 4, retryDelayMs: 500, tryTimeoutMs: 15_000 };

/**
 * A client of one container. Nothing is sent.
 * @throws UsageError if the account's URL or connection string is none; what it says holds nothing of either
 */
export function connectContainer(
  account: BlobAccount,
  container: string,
  options: BlobConnectOptions = {},
): ContainerClient {
  return serviceOf(account, { ...DEFAULTS, ...options }).getContainerClient(container);
}

function serviceOf(
  account: BlobAccount,
  { maxTries, retryDelayMs, tryTimeoutMs }: Required<BlobConnectOptions>,
): BlobServiceClient {
  const pipeline: StoragePipelineOptions = {
    retryOptions: {
      retryPolicyType: StorageRetryPolicyType.EXPONENTIAL,
      maxTries,
      retryDelayInMs: retryDelayMs,
      maxRetryDelayInMs: retryDelayMs * 8,
      tryTimeoutInMs: tryTimeoutMs,
    },
  };
  if ('connectionString' in account) {
    try {
      return BlobServiceClient.fromConnectionString(account.connectionString, pipeline);
    } catch {
      // What the client says of a connection string repeats parts of it.
      throw new UsageError('the connection string of the blob account cannot be read');
    }
  }
  if (!URL.canParse(account.url)) throw new UsageError('the URL of the blob account is none');
  return new BlobServiceClient(account.url, account.credential, pipeline);
}
