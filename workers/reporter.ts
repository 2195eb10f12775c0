/** Folds the events of the bus into what `rekindle report` counts. */
import { runDaemon } from '../src/compose-daemon.ts';
import { loadConfig } from '../src/config.ts';
import { runMain } from '../src/runtime/main.ts';

await runMain(() => runDaemon(loadConfig(process.env, { envFile: '.env' }), ['reporter']));
