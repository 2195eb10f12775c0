import { expect, test } from 'vitest';
import { printable, printableLines } from '../../../src/runtime/printable.ts';

test.each([
  ['a plain text, 日本, 🛒 and é', 'a plain text, 日本, 🛒 and é'],
  ['line\nforged', 'line\\u000aforged'],
  ['\u001b[2J\u009b1m\u007f', '\\u001b[2J\\u009b1m\\u007f'],
  ['\u202egnp.exe\u2028\u200b', '\\u202egnp.exe\\u2028\\u200b'],
  ['\u{e0041}', '\\udb40\\udc41'],
  ['half \ud800', 'half \\ud800'],
])('%j is printed as %s', (text, printed) => {
  expect(printable(text)).toBe(printed);
});

test('JSON stays the same JSON', () => {
  const value = { user: 'a\n\u001b\u009b\u202e"\\ 🛒', nested: ['\u2028'] };
  const text = printableLines(JSON.stringify(value, undefined, 2));
  expect(JSON.parse(text)).toEqual(value);
  expect(text).toMatch(/^[\n -~🛒]*$/u);
});
