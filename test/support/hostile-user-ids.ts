import type { ProblemReason } from '../../src/model/problem.ts';
import type { Bytes } from './hostile-session.ts';

/** Ids that are odd, and somebody's all the same: each is another user. */
export const HOSTILE_USER_IDS: readonly string[] = [
  // Parts of keys: ours, and those of messages.
  ...['a', 'a:messages', 'b:messages:messages', ':messages', 'messages', ':', '::', 'a:', ':a'],
  ...['session:a', 'ledger:a', 'rekindle', 'rekindle:ledger:a', 'rekindle:agenda:0', 'agenda:0'],
  ...['rekindle:quarantine', 'quarantine:details', '__keyspace@0__:session:a', '<user_id>'],
  // What a pattern, a cluster, a shell, a query or a page would take for something else.
  ...['*', '?', '[a]', '[^a]', 'a*', '\\', '\\*', '{}', '{a}', '{a', 'a}', '{}{a}', '{{a}}'],
  ...["'", '"', '`', '$(reboot)', '${a}', '; DROP TABLE users --', '<script>', '%0a', '%s'],
  ...['/', 'a/b', '../../etc/passwd', 'C:\\a', '.', '..', '~', '-', '--json', '@a', '#a', '?a=b'],
  // What a language takes for something else.
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'then', 'length'],
  ...['null', 'undefined', 'NaN', 'true', '0', '-1', '1e3', '0x10', '[object Object]', '{"a":1}'],
  // Space, and what is none: users who differ in nothing that is seen.
  ...[' ', '  ', ' a', 'a ', 'a  ', '\t', '\n', '\r\n', 'a\nb', 'a\n'],
  ...['\u00a0', '\u200b', '\u{FEFF}a', 'a\u200d'],
  ...['\0', 'a\0', 'a\0b', '\u0001', '\u001b[2J\u001b[H', '\u009b31m', '\u007f', '\u0085'],
  ...['\u2028', '\u2029', '\u202egnp.exe', '\u2066a\u2069'],
  // Text in all its forms; the same letters composed and not, and the same in two scripts.
  ...['é', 'e\u0301', 'Å', '\u212b', 'ﬁ', 'fi', 'ａ', 'А', 'A', 'ı', 'İ', 'ß', 'SS'],
  ...['🛒', '👩\u200d👩\u200d👧', '🏴\u{E0067}\u{E007F}', '🇮🇳', 'שלום', 'مرحبا', 'नमस्ते', '日本'],
  ...['\u{FFFF}', '\u{10FFFF}', '\u{E000}'],
  // As long as may be, in bytes.
  'x'.repeat(512),
  '🛒'.repeat(128),
  `${'y'.repeat(503)}:messages`,
];

/** What no user can be called, as the bytes of a key, and why. */
export const IMPOSSIBLE_USER_IDS: readonly (readonly [id: Bytes, reason: ProblemReason])[] = [
  ['', 'user_id_too_long'],
  ['x'.repeat(513), 'user_id_too_long'],
  [`${'🛒'.repeat(128)}x`, 'user_id_too_long'],
  ['é'.repeat(512), 'user_id_too_long'],
  ['z'.repeat(1_000_000), 'user_id_too_long'],
  [`${'z'.repeat(1_000_000)}z`, 'user_id_too_long'],
  [Buffer.from([0xff]), 'user_id_not_utf8'],
  [Buffer.from([0xfe]), 'user_id_not_utf8'],
  [Buffer.from('\xff:messages', 'latin1'), 'user_id_not_utf8'],
  [Buffer.from('ren\xe9', 'latin1'), 'user_id_not_utf8'],
  // Too long a form of a slash, half a surrogate pair, and a character that was cut off.
  [Buffer.from([0xc0, 0xaf]), 'user_id_not_utf8'],
  [Buffer.from([0xed, 0xa0, 0x80]), 'user_id_not_utf8'],
  [Buffer.from([0x63, 0x61, 0x66, 0xc3]), 'user_id_not_utf8'],
  ['\u{FFFD}', 'user_id_not_utf8'],
  [Buffer.alloc(600, 0xff), 'user_id_not_utf8'],
];
