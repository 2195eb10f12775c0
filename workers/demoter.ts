/** Takes sessions from hot to warm as they near their end. */
import { runDaemon } from '../src/compose-daemon.ts';
import { loadConfig } from '../src/config.ts';
import { runMain } from '../src/runtime/main.ts';

await runMain(() => runDaemon(loadConfig(process.env, { envFile: '.env' }), ['demoter']));
