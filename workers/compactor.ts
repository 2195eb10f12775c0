/** Takes aged conversations from warm to cold, and keeps what was learned of them. */
import { openOwnConfig } from '../src/compose-config.ts';
import { runDaemon } from '../src/compose-daemon.ts';
import { runMain } from '../src/runtime/main.ts';

await runMain(async () => runDaemon(await openOwnConfig(), ['compactor']));
