/**
 * How an object of the cold tier stands in a file or a blob. Its content is one line about it, and the text:
 *
 *   {"rekindle":1,"object":"transcripts/ann/c-1@1800000000000","bytes":17,"sha256":"…"}
 *   the text, byte for byte
 *
 * compressed with zstd when it is written; gzip and plain content are read as well, told apart by their first bytes. The
 * line is within the content, so it outlives any change of the encoding, and a person can check it:
 * `zstd -dc FILE | tail -n +2 | sha256sum`. A reader makes the line anew and compares: what was moved to another owner
 * or name is as little believed as what has other bytes.
 */
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import {
  gunzip,
  zstdCompress,
  zstdCompressSync,
  zstdDecompress,
  zstdDecompressSync,
} from 'node:zlib';
import { COLD_TEXT_MAX_BYTES } from './cold-object.ts';
import { DamagedObjectError, errorMessage } from './errors.ts';

/** The line is shorter by far. */
const LINE_MAX_BYTES = 4_096;
const CONTENT_MAX_BYTES = COLD_TEXT_MAX_BYTES + LINE_MAX_BYTES;

const LIMITS = { maxOutputLength: CONTENT_MAX_BYTES };

/** What cannot be compressed grows a little. */
export const PACKED_MAX_BYTES = CONTENT_MAX_BYTES + CONTENT_MAX_BYTES / 64;

/** Others have their turn after so many bytes were hashed: a megabyte takes a few milliseconds where the CPU has no help. */
const HASHED_AT_ONCE_BYTES = 1_024 * 1_024;

/** RFC 8878, 3.1.1, and RFC 1952, 2.3.1. */
const ZSTD = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
const GZIP = Buffer.from([0x1f, 0x8b]);
const PLAIN = Buffer.from('{"rekindle":');
const NEWLINE = 0x0a;

/**
 * Usual objects are compressed here and now: a thread would take six times the CPU time for one of 2 KB, and four times to
 * read it.
 */
const SMALL_BYTES = 64 * 1_024;

const compressElsewhere = promisify(zstdCompress);
const decompressElsewhere = promisify(zstdDecompress);
const ungzip = promisify(gunzip);

/** @param object which one: its path in the store, with its instant */
export async function pack(object: string, text: string): Promise<Buffer> {
  const content = await plain(object, Buffer.from(text));
  return content.length <= SMALL_BYTES ? zstdCompressSync(content) : compressElsewhere(content);
}

/**
 * The text in the bytes of a file or a blob.
 * @throws DamagedObjectError that names the place, if it is not what was written as this object
 */
export async function unpack(object: string, file: string, bytes: Buffer): Promise<string> {
  const content = await decoded(file, bytes);
  const end = content.indexOf(NEWLINE);
  if (end < 0 || end > LINE_MAX_BYTES) throw damaged(file, 'its first line is missing');
  const text = content.subarray(end + 1);
  const expected = await lineOf(object, text);
  if (!content.subarray(0, end + 1).equals(expected))
    throw damaged(
      file,
      'its first line tells of another object, another length or another SHA-256 than it has',
    );
  if (!isUtf8(text)) throw damaged(file, 'its text is no UTF-8');
  return text.toString();
}

export function damaged(file: string, what: string, cause?: unknown): DamagedObjectError {
  return new DamagedObjectError(
    `${file} is damaged: ${what}. It was left as it is; a backup can be put in its place`,
    { cause },
  );
}

/** Undefined for damage; throws what is none. */
export function unlessDamaged(error: unknown): undefined {
  if (!(error instanceof DamagedObjectError)) throw error;
}

async function plain(object: string, text: Buffer): Promise<Buffer> {
  return Buffer.concat([await lineOf(object, text), text]);
}

async function lineOf(object: string, text: Buffer): Promise<Buffer> {
  const sha256 = createHash('sha256');
  for (let at = 0; at < text.length; at += HASHED_AT_ONCE_BYTES) {
    if (at > 0) await nextTurn();
    sha256.update(text.subarray(at, at + HASHED_AT_ONCE_BYTES));
  }
  const line = { rekindle: 1, object, bytes: text.length, sha256: sha256.digest('hex') };
  return Buffer.from(`${JSON.stringify(line)}\n`);
}

/** A small file may hold a large text: then its reading is begun anew, on a thread. */
async function unzstd(bytes: Buffer): Promise<Buffer> {
  try {
    if (bytes.length <= SMALL_BYTES)
      return zstdDecompressSync(bytes, { maxOutputLength: SMALL_BYTES });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return decompressElsewhere(bytes, LIMITS);
}

async function decoded(file: string, bytes: Buffer): Promise<Buffer> {
  if (bytes.length === 0) throw damaged(file, 'it is empty');
  if (bytes.length > PACKED_MAX_BYTES) throw damaged(file, 'it is larger than any object');
  try {
    if (startsWith(bytes, ZSTD)) return await unzstd(bytes);
    if (startsWith(bytes, GZIP)) return await ungzip(bytes, LIMITS);
  } catch (error) {
    throw damaged(file, `it cannot be decompressed (${errorMessage(error)})`, error);
  }
  if (startsWith(bytes, PLAIN)) return bytes;
  throw damaged(file, 'it is no object of ours: neither zstd nor gzip nor plain');
}

function startsWith(bytes: Buffer, start: Buffer): boolean {
  return bytes.subarray(0, start.length).equals(start);
}
