import { memoryHot } from '../support/memory-hot.ts';
import { hotContract } from './hot.ts';
import { severalSessionsContract } from './hot-several.ts';
import { outcomesContract } from './outcomes.ts';

/** Nothing of the contract waits, so the clock may stand still. */
const NOW = 1_800_000_000_000;

hotContract('memory', (options) => memoryHot(() => NOW, options));
severalSessionsContract('memory', (options) => memoryHot(() => NOW, options));
outcomesContract('memory', memoryHot);
