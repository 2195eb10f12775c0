/** Takes aged conversations from warm to cold, and keeps what was learned of them. */
import { runDaemon } from '../src/compose-daemon.ts';
import { loadConfig } from '../src/config.ts';
import { runMain } from '../src/runtime/main.ts';

await runMain(() => runDaemon(loadConfig(process.env, { envFile: '.env' }), ['compactor']));
