/** Starts the server by itself: prints where it stands and its key, as JSON, and stays until SIGTERM or the end of stdin. */
import { once } from 'node:events';
import { startCosmosServer } from './cosmos-server.ts';

await using server = await startCosmosServer();
process.stdout.write(`${JSON.stringify({ endpoint: server.endpoint, key: server.key })}\n`);
process.stdin.resume();
await Promise.race([once(process, 'SIGTERM'), once(process.stdin, 'close')]);
process.stdin.destroy();
