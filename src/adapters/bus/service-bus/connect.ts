import type { TokenCredential } from '@azure/identity';
import { ServiceBusAdministrationClient, ServiceBusClient } from '@azure/service-bus';
import { UsageError } from '../../../model/errors.ts';

/** How one gets to a namespace. */
export type ServiceBusAccess = (
  | { readonly connectionString: string }
  | {
      /** Fully qualified, such as `shop.servicebus.windows.net`. */
      readonly namespace: string;
      readonly credential: TokenCredential;
    }
) & {
  /** Where the administration is instead of at the namespace, such as `http://127.0.0.1:8080`. */
  readonly administrationUrl?: string | undefined;
  /** How long the broker may take to answer an attempt, of which there are two. Default 2.5 s. */
  readonly attemptMs?: number;
};

/** Opens clients of one namespace. */
export interface ServiceBusConnector {
  readonly attemptMs: number;
  /** A client with a connection of its own, which is made with the first call. Whoever asked for it closes it. */
  readonly openClient: () => ServiceBusClient;
  readonly administration: () => ServiceBusAdministrationClient;
  /**
   * From now on clients are opened with this one's key. One whose key is refused is replaced by the bus.
   * @throws UsageError where there was no connection string, or this one names another namespace
   */
  readonly updateKey: (connectionString: string) => void;
}

const DEFAULT_ATTEMPT_MS = 2_500;

export function connectServiceBus(access: ServiceBusAccess): ServiceBusConnector {
  const attemptMs = access.attemptMs ?? DEFAULT_ATTEMPT_MS;
  // Whoever calls tries again, over another client.
  const options = { retryOptions: { maxRetries: 0, timeoutInMs: attemptMs } };
  let connectionString = 'connectionString' in access ? access.connectionString : undefined;
  const { administrationUrl } = access;
  let administration: ServiceBusAdministrationClient | undefined;
  const makeAdministration = (): ServiceBusAdministrationClient => {
    const retryOptions = { maxRetries: 1, retryDelayInMs: 200 };
    const client =
      'credential' in access
        ? new ServiceBusAdministrationClient(access.namespace, access.credential, { retryOptions })
        : new ServiceBusAdministrationClient(connectionString ?? '', { retryOptions });
    if (administrationUrl !== undefined) redirect(client, administrationUrl);
    return client;
  };
  return {
    attemptMs,
    openClient: () =>
      'credential' in access
        ? new ServiceBusClient(access.namespace, access.credential, options)
        : new ServiceBusClient(connectionString ?? '', options),
    administration: () => (administration ??= makeAdministration()),
    updateKey: (next) => {
      if (connectionString === undefined)
        throw new UsageError('Service Bus is reached without a connection string: it has no key');
      if (endpointOf(next) !== endpointOf(connectionString))
        throw new UsageError('the new connection string of Service Bus names another namespace');
      connectionString = next;
      administration = undefined;
    },
  };
}

function endpointOf(connectionString: string): string | undefined {
  return /(?:^|;)\s*Endpoint=([^;]*)/i.exec(connectionString)?.[1]?.toLowerCase();
}

/** Its own options know no other address. */
function redirect(client: ServiceBusAdministrationClient, url: string): void {
  const { origin, protocol } = new URL(url);
  client.pipeline.addPolicy({
    name: 'rekindleAdministrationUrl',
    sendRequest: (request, next) => {
      const { pathname, search } = new URL(request.url);
      request.url = `${origin}${pathname}${search}`;
      request.allowInsecureConnection = protocol === 'http:';
      return next(request);
    },
  });
}
