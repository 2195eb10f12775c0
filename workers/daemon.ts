/** Everything in one process, as `rekindle daemon` runs it. */
import { loadConfig } from '../src/config.ts';
import { runWatcher } from '../src/compose-watcher.ts';
import { runMain } from '../src/runtime/main.ts';

await runMain(() => runWatcher(loadConfig(process.env, { envFile: '.env' })));
