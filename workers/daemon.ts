/** Watches activity, looks at due users and announces. */
import { loadConfig } from '../src/config.ts';
import { runWatcher } from '../src/compose-watcher.ts';
import { runMain } from '../src/runtime/main.ts';

await runMain(() => runWatcher(loadConfig(process.env, { envFile: '.env' })));
