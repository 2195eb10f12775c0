import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';
import { moveInto, writeNew } from '../../src/adapters/cold/files/durable.ts';
import { inFlight } from '../harness.ts';
import type { Messages } from './conversations.ts';

const compress = promisify(zstdCompress);

/**
 * What anybody would do to keep conversations: their JSON, compressed as ours is, one file for each, on the disk.
 * @returns bytes of the files
 */
export async function writeBare(
  folder: string,
  conversations: readonly Messages[],
  atOnce: number,
): Promise<number> {
  mkdirSync(folder);
  let written = 0;
  await inFlight(conversations, atOnce, async (messages, index) => {
    const bytes = await compress(Buffer.from(`[${messages.join(',')}]`));
    const file = join(folder, `${index}.json.zst`);
    await writeNew(`${file}.tmp`, bytes);
    await moveInto(`${file}.tmp`, file);
    written += bytes.length;
  });
  return written;
}
