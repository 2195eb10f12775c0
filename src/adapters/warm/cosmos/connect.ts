import { CosmosClient, type CosmosClientOptions, type PluginConfig } from '@azure/cosmos';
import type { TokenCredential } from '@azure/identity';
import { UnansweredError } from './trouble.ts';

/** Where the account is, and who we are. */
export interface CosmosAccount {
  readonly endpoint: string;
  /** The account's key, or an identity with the role "Cosmos DB Built-in Data Contributor". */
  readonly as: { readonly key: string } | { readonly credential: TokenCredential };
  /** One try of one request. Default 5 s. */
  readonly requestTimeoutMs?: number;
}

const REQUEST_TIMEOUT_MS = 5_000;

/**
 * A client that leaves every repeat to whoever calls it. By itself it repeats 429 for 30 s, and what could not be sent 120
 * times, once a second, writes too: no budget of a call would hold. So there is no discovery of endpoints either, which
 * those repeats belong to; the name of the account leads to the region that takes writes.
 */
export function connectCosmos({
  endpoint,
  as,
  requestTimeoutMs = REQUEST_TIMEOUT_MS,
}: CosmosAccount): CosmosClient {
  const options: CosmosClientOptions & { readonly plugins: PluginConfig[] } = {
    endpoint,
    ...('key' in as ? { key: as.key } : { aadCredentials: as.credential }),
    userAgentSuffix: 'rekindle',
    connectionPolicy: {
      requestTimeout: requestTimeoutMs,
      enableEndpointDiscovery: false,
      enableBackgroundEndpointRefreshing: false,
      retryOptions: {
        maxRetryAttemptCount: 0,
        fixedRetryIntervalInMilliseconds: 0,
        maxWaitTimeInSeconds: 0,
      },
    },
    plugins: [OURS],
  };
  return new CosmosClient(options);
}

/**
 * The client asks how each query is to be asked while it asks it: twice the requests, and in one partition never of use. It
 * takes a refusal, and would tell of it only where it needed the plan. And of what it reads it repeats what was not
 * answered, ten times, once a second: unless it does not know the error.
 */
const OURS: PluginConfig = {
  on: 'request',
  plugin: async (request, _diagnostics, next) => {
    const isPlan = 'x-ms-cosmos-is-query-plan-request' in (request.headers ?? {});
    const { partitionKey } = request.options as { readonly partitionKey?: unknown };
    if (isPlan && partitionKey !== undefined)
      throw new Error('a query in one partition needs no plan');
    try {
      return await next(request);
    } catch (error) {
      if (typeof (error as { readonly code?: unknown }).code === 'number') throw error;
      throw new UnansweredError(error);
    }
  },
};
