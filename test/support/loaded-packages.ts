/**
 * Starts everything that the settings ask for, uses the library, stops, and prints which packages of clouds and models were
 * loaded on the way. ALSO names one more to load.
 */
import { registerHooks } from 'node:module';

const loaded = new Set<string>();
registerHooks({
  load: (url, context, next) => {
    const name = /node_modules\/(@azure\/[\w-]+|openai)\//.exec(url)?.[1];
    if (name !== undefined) loaded.add(name);
    return next(url, context);
  },
});

const { openOwnConfig } = await import('../../src/compose-config.ts');
const { composeDaemon } = await import('../../src/compose-daemon.ts');
const { openRekindle } = await import('../../src/index.ts');
const { silentLogger } = await import('../../src/runtime/logger.ts');

const daemon = await composeDaemon(await openOwnConfig(), { log: silentLogger });
await daemon.start();
const rekindle = await openRekindle();
await rekindle.recordActivity('ada');
await rekindle.recall('ada');
await rekindle.resume('ada');
await rekindle.erase('ada');
await rekindle.close();
await daemon.stop(AbortSignal.timeout(10_000));
const { ALSO: also } = process.env;
if (also !== undefined) await import(also);
process.stdout.write(JSON.stringify([...loaded]));
