import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FilesCold } from '../../src/adapters/cold/files/files-cold.ts';
import { safeName } from '../../src/model/safe-name.ts';
import type { ColdFaults } from '../contract/cold-faults.ts';
import { type ColdHarness, T } from '../contract/cold.ts';
import { systemError, watchFileCalls } from './fs-calls.ts';

/** Folders for stores of the cold tier, each with nothing in it, one after the other. */
export class ColdPlaces {
  readonly #above = mkdtempSync(join(tmpdir(), 'rekindle-cold-'));
  #places = 0;
  #now = T;

  readonly harness: ColdHarness = {
    open: async () => {
      this.#places += 1;
      return this.harness.another();
    },
    another: () => FilesCold.open(this.folder, { now: () => this.#now }),
    now: () => this.#now,
    pass: (ms) => void (this.#now += ms),
  };

  readonly faults: ColdFaults = {
    change: async (owner, kind, name, to) => {
      const folder = join(this.folder, kind, safeName(owner));
      const file = readdirSync(folder).find((one) => one.startsWith(`${name}@`));
      if (file === undefined) throw new Error(`no ${name} in ${folder}`);
      writeFileSync(join(folder, file), to(readFileSync(join(folder, file))));
    },
    failAfter: (requests) => {
      let left = requests;
      return watchFileCalls(async () => {
        left -= 1;
        if (left < 0) throw systemError('EIO');
      });
    },
  };

  /** Of the store that was opened last. */
  get folder(): string {
    return join(this.#above, String(this.#places));
  }

  /** All files below it, as paths within. */
  files(): string[] {
    return readdirSync(this.folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(this.folder.length + 1))
      .toSorted();
  }

  remove(): void {
    rmSync(this.#above, { recursive: true, force: true });
  }
}
