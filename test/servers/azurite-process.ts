/** Azurite as it is, in a process that ends with the one that started it: its standard input is a pipe from there. */
import { createRequire } from 'node:module';

process.stdin.resume().on('end', () => process.exit());
createRequire(import.meta.url)('azurite/dist/src/blob/main.js');
