import fs, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

type Call = (...args: never[]) => Promise<unknown>;

const CALLS = ['access', 'mkdir', 'open', 'readFile', 'readdir', 'rename', 'rm', 'rmdir', 'stat'];
const OF_HANDLES = ['writeFile', 'sync', 'readFile', 'stat', 'close'];

/**
 * Has `before` run in front of every call to the file system, of whoever calls it in this process: what it throws, the call
 * throws. @returns what ends it
 */
export function watchFileCalls(before: (call: string) => Promise<void>): () => void {
  const calls = fs as unknown as Record<string, Call>;
  const real = new Map(CALLS.map((name) => [name, calls[name]!]));
  for (const [name, call] of real) {
    calls[name] = async (...args) => {
      await before(name);
      const result = await call.apply(fs, args);
      return name === 'open' ? watchedHandle(result as FileHandle, before) : result;
    };
  }
  syncBuiltinESMExports();
  return () => {
    for (const [name, call] of real) calls[name] = call;
    syncBuiltinESMExports();
  };
}

/** What the system says when a disk fails, or whatever else it may say. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: made by a test`), { code, syscall: 'test' });
}

function watchedHandle(handle: FileHandle, before: (call: string) => Promise<void>): FileHandle {
  return new Proxy(handle, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key, target);
      if (typeof member !== 'function') return member;
      const method = member.bind(target) as (...args: unknown[]) => Promise<unknown>;
      if (!OF_HANDLES.includes(String(key))) return method;
      return async (...args: unknown[]) => {
        try {
          await before(String(key));
        } catch (error) {
          // Or it would stay open for good.
          if (key === 'close') await method();
          throw error;
        }
        return method(...args);
      };
    },
  });
}
