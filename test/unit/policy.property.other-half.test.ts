import { test, vi } from 'vitest';
import { manyHistories } from '../support/many-histories.ts';

vi.setConfig({ testTimeout: 600_000 });

test('whatever happens, all that was recorded is told, and nothing is left', () =>
  manyHistories(1));
