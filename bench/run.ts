/** Measures ours beside its peers: `npm run bench [-- --json] [-- --only NAME] [-- --sessions 100000]`. */
import { parseArgs } from 'node:util';
import { type Figure, type Row, machine, measureFigure } from './harness.ts';
import { drain } from './rows/drain.ts';
import { lateness } from './rows/lateness.ts';
import { memory } from './rows/memory.ts';
import { recordActivity, recordActivityRaw } from './rows/record-activity.ts';

const FIGURES: readonly Figure[] = [lateness, drain, recordActivity, recordActivityRaw, memory];

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
    sessions: { type: 'string', default: '100000' },
  },
});
const wanted = FIGURES.filter(
  ({ name }) => values.only?.some((part) => name.includes(part)) ?? true,
);
if (wanted.length === 0) {
  process.stderr.write(
    `no figure has that in its name; there are:\n${FIGURES.map(({ name }) => `  ${name}\n`).join('')}`,
  );
  process.exit(2);
}

const rows: Row[] = [];
for (const figure of wanted) {
  rows.push(
    await measureFigure(figure, Number(values.sessions), (run, ours, peer) => {
      if (process.stderr.isTTY) {
        process.stderr.write(
          `${figure.name}: run ${String(run)}: ours ${ours.toPrecision(4)}, peer ${peer.toPrecision(4)} ${figure.unit}\n`,
        );
      }
    }),
  );
}
const report = { machine: machine(), date: new Date().toISOString().slice(0, 10), rows };
if (values.json) process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
else {
  process.stdout.write(
    `${report.machine}, ${report.date}, ${values.sessions} sessions, medians of five\n`,
  );
  for (const { name, unit, ours, peer, ratio, target, met } of rows) {
    process.stdout.write(
      `${met ? 'met ' : 'MISS'}  ${name}: ${String(ours)} ${unit}, peer ${String(peer)}, ratio ${String(ratio)}; target ${target}\n`,
    );
  }
}
