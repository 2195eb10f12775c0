/**
 * A watcher in a process of its own. It connects, and waits with its start for the test's word, so that one which takes
 * another's place is there at once. KILL_POINT names where it is struck down; without one it runs until it is stopped.
 */
import { once } from 'node:events';
import { flushCompileCache } from 'node:module';
import { composeDaemon } from '../../src/compose-daemon.ts';
import { loadConfig } from '../../src/config.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import { runMain } from '../../src/runtime/main.ts';
import { runService } from '../../src/runtime/run.ts';
import { type KillPoint, withKillPoint } from './kill-points.ts';

// The test is gone: nobody else would end this.
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));

await runMain(async () => {
  const point = process.env['KILL_POINT'];
  const config = loadConfig();
  const log = createLogger({ level: config.logLevel });
  const service = await composeDaemon(config, {
    workers: ['watcher'],
    log,
    decorate: (ports) =>
      point === undefined ? ports : withKillPoint(ports, JSON.parse(point) as KillPoint),
  });
  // Those that come after it compile nothing; of itself, one that is killed would leave them nothing.
  flushCompileCache();
  process.send?.('waits');
  await once(process, 'message');
  // What is said by the test no longer keeps the process.
  process.channel?.unref();
  return runService(service, { log, stopDeadlineMs: 60_000 });
});
