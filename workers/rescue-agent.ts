/** An example subscriber: answers announcements with a message, to a file or a webhook. */
import { runRescueAgent } from '../src/compose-agent.ts';
import { loadConfig } from '../src/config.ts';
import { runMain } from '../src/runtime/main.ts';

await runMain(() => runRescueAgent(loadConfig(process.env, { envFile: '.env' })));
