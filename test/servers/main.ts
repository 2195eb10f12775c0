/**
 * Starts one server for whoever runs this, prints how to connect as a line of JSON, and stays until it is told to end
 * (SIGTERM), or its standard input does: a parent that keeps a pipe there takes it along, however it dies.
 *
 *   node test/servers/main.ts azurite [CONTAINER …]
 *   node test/servers/main.ts key-vault [NAME=VALUE …]
 *   node test/servers/main.ts managed-identity
 *   node test/servers/main.ts service-bus [TOPIC …]
 *   node test/servers/main.ts cosmos
 */
import { BlobServiceClient } from '@azure/storage-blob';
import { startAzurite } from './azurite.ts';
import { startCosmosServer } from './cosmos/cosmos-server.ts';
import { startKeyVault } from './key-vault.ts';
import { startManagedIdentity } from './managed-identity.ts';
import { ServiceBusServer } from './service-bus/service-bus-server.ts';

const DUPLICATE_WINDOW_MS = 600_000;

interface Started {
  readonly server: AsyncDisposable;
  readonly connect: object;
}

const SERVERS: Readonly<Record<string, (words: readonly string[]) => Promise<Started>>> = {
  azurite: async (containers) => {
    const server = await startAzurite();
    const { url, connectionString } = server;
    const account = BlobServiceClient.fromConnectionString(connectionString);
    for (const container of containers) await account.createContainer(container);
    return { server, connect: { url, connectionString } };
  },
  'key-vault': async (secrets) => {
    const server = await startKeyVault();
    for (const [name = '', ...value] of secrets.map((secret) => secret.split('=')))
      server.set(name, value.join('='));
    return { server, connect: { url: server.url, certificate: server.certificate.cert } };
  },
  'managed-identity': async () => {
    const server = await startManagedIdentity();
    return { server, connect: server.environment };
  },
  'service-bus': async (topics) => {
    const server = await ServiceBusServer.start();
    for (const topic of topics)
      server.broker.addTopic(topic, { duplicateWindowMs: DUPLICATE_WINDOW_MS });
    const { connectionString, administrationUrl } = server;
    const connect = { connectionString, administrationUrl };
    return { server: { [Symbol.asyncDispose]: () => server.stop() }, connect };
  },
  cosmos: async () => {
    const server = await startCosmosServer();
    return { server, connect: { endpoint: server.endpoint, key: server.key } };
  },
};

const [name = '', ...words] = process.argv.slice(2);
const start = Object.hasOwn(SERVERS, name) ? SERVERS[name] : undefined;
if (start) {
  const ended = Promise.withResolvers<undefined>();
  const end = (): void => ended.resolve(undefined);
  process.once('SIGTERM', end).once('SIGINT', end);
  process.stdin.resume().once('end', end).once('error', end);
  const { server, connect } = await start(words);
  process.stdout.write(`${JSON.stringify(connect)}\n`);
  await ended.promise;
  await server[Symbol.asyncDispose]();
  // An open standard input would keep it.
  process.stdin.destroy();
} else {
  process.stderr.write(`usage: node test/servers/main.ts ${Object.keys(SERVERS).join('|')} …\n`);
  process.exitCode = 2;
}
