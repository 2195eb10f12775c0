/** A watcher in a process of its own that dies at the kill point given in KILL_POINT, or runs until stopped without one. */
import { composeWatcher } from '../../src/compose-watcher.ts';
import { loadConfig } from '../../src/config.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import { runMain } from '../../src/runtime/main.ts';
import { runService } from '../../src/runtime/run.ts';
import { type KillPoint, withKillPoint } from './kill-points.ts';

const point = process.env['KILL_POINT'];

await runMain(async () => {
  const config = loadConfig();
  const log = createLogger({ level: config.logLevel });
  const service = await composeWatcher(config, {
    log,
    decorate: (ports) =>
      point === undefined ? ports : withKillPoint(ports, JSON.parse(point) as KillPoint),
  });
  return runService(service, { log, stopDeadlineMs: 5_000 });
});
