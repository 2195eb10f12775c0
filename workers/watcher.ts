/** Watches activity, looks at due users and announces. */
import { loadConfig } from '../src/config.ts';
import { runDaemon } from '../src/compose-daemon.ts';
import { runMain } from '../src/runtime/main.ts';

await runMain(() => runDaemon(loadConfig(process.env, { envFile: '.env' }), ['watcher']));
