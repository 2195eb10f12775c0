import { fill, lookAtAll, registerSchedules } from '../million/first-looks.ts';
import { writeForeign } from '../million/foreign-writes.ts';
import { beIdle, passInBackground } from '../million/idle.ts';
import { timeScripts } from '../million/scripts.ts';
import { type World, startWatcher } from '../million/world.ts';
import type { Bench, Head, Sample, Series } from '../harness.ts';
import { Pipeline } from '../pipeline.ts';
import { memoryOf } from '../proc.ts';
import { SlowCommands } from '../slow-commands.ts';

const DAEMON_MB = 200;
const BLOCKED_MS = 5;
const FOREIGN_PER_SECOND = 20_000;

/** What the clock of a writer that is paced may be off by. */
const PACE = 0.99;

const memory: Head = {
  name: 'memory of the daemon, resident, at its highest',
  unit: 'MB',
  target: `<= ${DAEMON_MB} MB`,
  met: (ours) => ours <= DAEMON_MB,
};
const slowLog: Head = {
  name: 'longest script or scan, by the slow log',
  unit: 'ms',
  target: `<= ${BLOCKED_MS} ms`,
  met: (ours) => ours <= BLOCKED_MS,
};
const scriptCpu: Head = {
  name: 'longest script or scan, in CPU time of Redis',
  unit: 'ms',
  target: `<= ${BLOCKED_MS} ms`,
  met: (ours) => ours <= BLOCKED_MS,
};
const firstLooks: Head = { name: 'first look at everybody', unit: 's' };
const fullPass: Head = { name: 'full pass of reconcile, at the start', unit: 's' };
const backgroundPass: Head = {
  name: 'pass of reconcile in the background',
  unit: 's',
};
const idleCommands: Head = {
  name: 'commands while nobody does anything',
  unit: '1/s',
};
const idleCpu: Head = { name: 'CPU of Redis while nobody does anything', unit: '%' };
const foreignRate: Head = {
  name: 'writes of another program, one listener',
  unit: '1/s',
  target: `${FOREIGN_PER_SECOND} a second`,
  met: (ours) => ours >= FOREIGN_PER_SECOND * PACE,
};
const foreignListeners: Head = {
  name: 'replicas that listen to other programs, of two',
  unit: 'replicas',
  target: 'one',
  met: (ours) => ours === 1,
};
const foreignArmed: Head = {
  name: 'users armed for each write of another program',
  unit: 'users',
};
const foreignLag: Head = {
  name: 'from a write of another program to its user being armed',
  unit: 'ms',
};
const foreignLost: Head = {
  name: 'users whom the listener lost',
  unit: 'users',
  target: 'none',
  met: (ours) => ours === 0,
};

/** One daemon, then two, over a million watched sessions. */
export const million: Series = {
  name: 'million',
  sessions: 1_000_000,
  apart: true,
  figures: [
    memory,
    slowLog,
    scriptCpu,
    firstLooks,
    fullPass,
    backgroundPass,
    idleCommands,
    idleCpu,
    foreignRate,
    foreignListeners,
    foreignArmed,
    foreignLag,
    foreignLost,
  ],
  measure,
};

async function measure(bench: Bench): Promise<ReadonlyMap<string, Sample>> {
  await using pipeline = await Pipeline.open(bench);
  const slow = await SlowCommands.watch(bench.redis, bench.server.pid);
  const world: World = { bench, pipeline, slow };
  const samples = new Map<string, Sample>();
  const slowest: { ms: number; note: string }[] = [];
  const noteSlow = async (phase: string): Promise<void> => {
    const { longestMs, note } = await slow.report();
    slowest.push({ ms: longestMs, note: `${phase}: ${longestMs.toFixed(1)} ms, ${note}` });
    await slow.restart();
  };

  await registerSchedules(world);
  await fill(world);
  await slow.restart();
  await using first = await startWatcher(bench);
  const looks = await lookAtAll(world, first);
  await noteSlow('first looks and full pass');
  const afterLooks = memoryOf(first.pid);
  samples.set(firstLooks.name, { value: looks.lookedS });
  samples.set(fullPass.name, { value: looks.fullPassS, note: `${looks.passUsers} users read` });

  const idle = await beIdle(world, first);
  const resident = memoryOf(first.pid).residentMb;
  samples.set(idleCommands.name, idle.commandsPerSecond);
  samples.set(idleCpu.name, {
    value: idle.redisCpuPercent,
    note: `of the daemon ${idle.watcherCpuPercent.toFixed(1)} %`,
  });
  await slow.restart();
  samples.set(backgroundPass.name, await passInBackground(world, looks.passUsers));
  await noteSlow('pass in the background');

  await using second = await startWatcher(bench);
  const foreign = await writeForeign(world, [first, second]);
  await noteSlow('writes of another program');
  samples.set(foreignRate.name, foreign.writesPerSecond);
  samples.set(foreignListeners.name, foreign.listeners);
  samples.set(foreignArmed.name, foreign.armedPerWrite);
  samples.set(foreignLag.name, foreign.armedAfterMs);
  samples.set(foreignLost.name, foreign.lost);

  const [highest, other] = [memoryOf(first.pid).highestMb, memoryOf(second.pid).highestMb];
  samples.set(memory.name, {
    value: Math.max(highest, other),
    note: `after the first looks ${afterLooks.highestMb.toFixed(0)}, idle ${resident.toFixed(0)}; the second replica ${other.toFixed(0)}`,
  });
  await Promise.all([first.end(), second.end()]);
  samples.set(slowLog.name, {
    value: Math.max(...slowest.map(({ ms }) => ms)),
    note: slowest.map(({ note }) => note).join('; '),
  });
  samples.set(scriptCpu.name, await timeScripts(world));
  return samples;
}
