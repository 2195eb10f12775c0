/**
 * The broker as a process of its own: prints where it is, as one line of JSON, and stays until SIGTERM or the end of its
 * standard input. A topic may be named: it gets duplicate detection for ten minutes.
 */
import { ServiceBusServer } from './service-bus-server.ts';

const TEN_MINUTES_MS = 600_000;

const server = await ServiceBusServer.start();
const [topic] = process.argv.slice(2);
if (topic !== undefined) server.broker.addTopic(topic, { duplicateWindowMs: TEN_MINUTES_MS });
const { connectionString, administrationUrl } = server;
process.stdout.write(`${JSON.stringify({ connectionString, administrationUrl })}\n`);

const stop = (): void => void server.stop().then(() => process.exit(0));
process.once('SIGTERM', stop);
// Whoever started it is gone.
process.stdin.resume().once('end', stop).once('close', stop);
