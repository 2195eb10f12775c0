/** An example subscriber: answers announcements with a message, to a file or a webhook. */
import { runRescueAgent } from '../src/compose-agent.ts';
import { openOwnConfig } from '../src/compose-config.ts';
import { runMain } from '../src/runtime/main.ts';

await runMain(async () => runRescueAgent(await openOwnConfig()));
