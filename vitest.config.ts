import { defineConfig } from 'vitest/config';
import { DidNotRun } from './test/support/did-not-run-reporter.ts';

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          setupFiles: ['test/support/property-seed.ts'],
        },
      },
      {
        test: {
          name: 'contract',
          include: ['test/contract/**/*.test.ts'],
          setupFiles: ['test/support/property-seed.ts'],
          testTimeout: 20_000,
          hookTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'crash',
          include: ['test/crash/**/*.test.ts'],
          // These tests kill processes and wait for leases to run out: alone, they see no one else's load.
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 30_000,
        },
      },
    ],
    // More would only contend: each file brings a Redis and often a daemon of its own. Three took as long on two cores.
    maxWorkers: 2,
    reporters: ['default', new DidNotRun()],
    // A forgotten `.only` must not pass for a whole suite.
    allowOnly: !process.env['CI'],
    passWithNoTests: false,
  },
});
