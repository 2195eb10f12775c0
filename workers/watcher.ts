/** Watches activity, looks at due users and announces. */
import { openOwnConfig } from '../src/compose-config.ts';
import { runDaemon } from '../src/compose-daemon.ts';
import { runMain } from '../src/runtime/main.ts';

await runMain(async () => runDaemon(await openOwnConfig(), ['watcher']));
