/** Opens what lies on Azure. Each SDK is loaded when it is first needed: whoever uses one pays for that one. */
import type { TokenCredential } from '@azure/identity';
import type { ContainerClient } from '@azure/storage-blob';
import type { CosmosClient } from '@azure/cosmos';
import type { ServiceBusBus } from './adapters/bus/service-bus/service-bus-bus.ts';
import type { Config } from './config.ts';
import type { Diagnosis } from './model/diagnosis.ts';
import { errorMessage } from './model/errors.ts';
import type { Bus } from './ports/bus.ts';
import type { Clock } from './ports/clock.ts';
import type { ColdStore } from './ports/cold.ts';
import type { WarmStore } from './ports/warm.ts';
import { REPORT_GROUP } from './rescue/report/reporter.ts';
import { type Logger, silentLogger } from './runtime/logger.ts';
import type { Telemetry } from './runtime/telemetry.ts';

/** Opens the bus on Service Bus; nothing is sent yet. */
export async function openServiceBus(config: Config, log: Logger = silentLogger): Promise<Bus> {
  return serviceBus(config, log);
}

/** Says whether events could go over the entity of these settings. */
export async function examineServiceBus(config: Config): Promise<Diagnosis[]> {
  const bus = await serviceBus(config, silentLogger);
  try {
    return await told('event bus', () => bus.examine({}, groupsOf(config)));
  } finally {
    await bus.close();
  }
}

/** Makes the entity, and a subscription for each group that we know of; or says what is missing. */
export async function setUpServiceBus(config: Config, apply: boolean): Promise<Diagnosis[]> {
  const bus = await serviceBus(config, silentLogger);
  try {
    return await told('event bus', async () => {
      const missing = await bus.setUp(groupsOf(config), { apply });
      if (missing.length === 0) return [{ level: 'ok', what: 'all entities are there' }];
      return missing.map((what) =>
        apply
          ? { level: 'ok', what: `${what}: made` }
          : { level: 'refuse', what: `${what} is missing`, change: 'rekindle setup --apply' },
      );
    });
  } finally {
    await bus.close();
  }
}

/** The groups of our own programs. */
function groupsOf({ agentGroup }: Config): string[] {
  return [REPORT_GROUP, agentGroup];
}

async function serviceBus(config: Config, log: Logger): Promise<ServiceBusBus> {
  const { ServiceBusBus } = await import('./adapters/bus/service-bus/service-bus-bus.ts');
  const { connectServiceBus } = await import('./adapters/bus/service-bus/connect.ts');
  const { renewed: settings, serviceBusNamespace: namespace } = config;
  const { serviceBusConnectionString: connectionString } = settings?.current() ?? config;
  const { serviceBusAdminUrl: administrationUrl, serviceBusQueue: queue } = config;
  const credential = await identity();
  const connector = connectServiceBus({
    ...(connectionString === undefined
      ? { namespace: namespace ?? '', credential: credential() }
      : { connectionString }),
    administrationUrl,
  });
  const forget = settings?.onChange(() => {
    const { serviceBusConnectionString: next } = settings.current();
    if (next !== undefined) connector.updateKey(next);
  });
  const place = queue === undefined ? { topic: config.serviceBusTopic } : { queue };
  return closing(new ServiceBusBus({ connector, place, log }), () => forget?.());
}

/** Opens the warm tier in Cosmos DB; nothing is sent yet. @param telemetry told of request units */
export async function openCosmosWarm(
  config: Config,
  clock: Clock,
  telemetry?: Telemetry,
): Promise<WarmStore> {
  const { CosmosWarm } = await import('./adapters/warm/cosmos/cosmos-warm.ts');
  const client = await renewed(config, await cosmosClients());
  const { cosmosDatabase, cosmosContainer } = config;
  const units = telemetry?.counter({
    name: 'rekindle_cosmos_request_units_total',
    help: 'Request units that calls to the warm tier were charged.',
    labels: ['method'],
  });
  const trips = telemetry?.counter({
    name: 'rekindle_cosmos_round_trips_total',
    help: 'Requests to the warm tier that were waited for.',
    labels: ['method'],
  });
  return closing(
    new CosmosWarm({
      container: () => client.current().database(cosmosDatabase).container(cosmosContainer),
      clock,
      onCharge: ({ operation: method, charge, roundTrips }) => {
        units?.inc({ method }, charge);
        trips?.inc({ method }, roundTrips);
      },
    }),
    client.forget,
  );
}

/** Says whether a demoter could use the container of these settings. */
export async function examineCosmos(config: Config): Promise<Diagnosis[]> {
  const { examine } = await import('./adapters/warm/cosmos/set-up.ts');
  const clientOf = await cosmosClients();
  return told('warm tier', () => examine(clientOf(config), placeInCosmos(config)));
}

/** Makes database and container, or says what of them is missing. */
export async function setUpCosmos(config: Config, apply: boolean): Promise<Diagnosis[]> {
  if (!apply) return examineCosmos(config);
  const { setUp } = await import('./adapters/warm/cosmos/set-up.ts');
  const clientOf = await cosmosClients();
  return told('warm tier', () => setUp(clientOf(config), placeInCosmos(config)));
}

function placeInCosmos({ cosmosDatabase: database, cosmosContainer: container }: Config) {
  return { database, container };
}

/** Gives a client for settings. */
async function cosmosClients(): Promise<(config: Config) => CosmosClient> {
  const { connectCosmos } = await import('./adapters/warm/cosmos/connect.ts');
  const credential = await identity();
  return ({ cosmosAccountUri: endpoint = '', cosmosKey: key }) =>
    connectCosmos({ endpoint, as: key === undefined ? { credential: credential() } : { key } });
}

/** Opens the cold tier in Blob Storage; nothing is sent yet. */
export async function openBlobCold(config: Config, clock: Pick<Clock, 'now'>): Promise<ColdStore> {
  const { BlobCold } = await import('./adapters/cold/blob/blob-cold.ts');
  const client = await renewed(config, await blobContainers());
  const store = new BlobCold({ container: () => client.current(), clock, tags: config.blobTags });
  return closing(store, client.forget);
}

/** Says whether a compactor could use the container of these settings. */
export async function examineBlob(config: Config): Promise<Diagnosis[]> {
  const { examineContainer } = await import('./adapters/cold/blob/set-up.ts');
  const containerOf = await blobContainers();
  return told('cold tier', () => examineContainer(containerOf(config), { tags: config.blobTags }));
}

/** Makes the container, or says whether it is missing. */
export async function setUpBlob(config: Config, apply: boolean): Promise<Diagnosis[]> {
  const { setUpContainer } = await import('./adapters/cold/blob/set-up.ts');
  const containerOf = await blobContainers();
  return told('cold tier', () => setUpContainer(containerOf(config), { apply }));
}

async function blobContainers(): Promise<(config: Config) => ContainerClient> {
  const { connectContainer } = await import('./adapters/cold/blob/connect.ts');
  const credential = await identity();
  return ({ blobConnectionString: connectionString, blobAccountUrl: url = '', blobContainer }) => {
    if (connectionString !== undefined)
      return connectContainer({ connectionString }, blobContainer);
    // A SAS says all of who we are.
    const isSigned = new URL(url).searchParams.has('sig');
    return connectContainer({ url, ...(!isSigned && { credential: credential() }) }, blobContainer);
  };
}

/** Who we are, where nothing else is said. */
async function identity(): Promise<() => TokenCredential> {
  const { azureCredential } = await import('./adapters/azure/credential.ts');
  return azureCredential;
}

/** A client that is made anew whenever the settings hold another secret. */
async function renewed<T>(
  config: Config,
  make: (config: Config) => T,
): Promise<{ readonly current: () => T; readonly forget: () => void }> {
  const { renewed: settings } = config;
  let client = make(settings?.current() ?? config);
  const forget = settings?.onChange(() => {
    client = make(settings.current());
  });
  return { current: () => client, forget: () => forget?.() };
}

/** Does something more when a store is closed. */
function closing<S extends { close(): Promise<void> }>(store: S, forget: () => void): S {
  const close = store.close.bind(store);
  store.close = async () => {
    forget();
    await close();
  };
  return store;
}

/** What cannot be asked is refused, with the reason. */
async function told(what: string, ask: () => Promise<readonly Diagnosis[]>): Promise<Diagnosis[]> {
  try {
    const found = await ask();
    return found.map((one) => ({ ...one, what: `${what}: ${one.what}` }));
  } catch (error) {
    return [{ level: 'refuse', what: `${what}: ${errorMessage(error)}` }];
  }
}
