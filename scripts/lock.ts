// Keeps package-lock.json fit for `npm ci` on every system (`--check` only looks).
//
// npm drops from the lock file the optional packages for other systems that its registry could not
// offer when the lock was written; then `npm ci` refuses the file, on all of them. Their version is
// exact in the package that asks for them, and their system is in their name, so they can be added;
// npm finds their checksum when it installs one. And addresses of a registry do not belong here:
// they would send everybody to the one that the last author used.
import { readFileSync, writeFileSync } from 'node:fs';

interface LockEntry {
  version?: string;
  resolved?: string;
  dev?: boolean;
  optional?: boolean;
  optionalDependencies?: Record<string, string>;
  os?: string[];
  cpu?: string[];
  libc?: string[];
}

interface Lock {
  packages: Record<string, LockEntry>;
}

const FILE = 'package-lock.json';
const SYSTEM =
  /-(?<os>android|darwin|freebsd|linux|openharmony|win32)-(?<cpu>arm64|arm|ia32|ppc64|riscv64|s390x|x64)(?:-(?<abi>\w+))?$/;

const text = readFileSync(FILE, 'utf8');
const lock = JSON.parse(text) as Lock;
const missing = Object.entries(lock.packages).flatMap(([asking, { dev, optionalDependencies }]) =>
  Object.entries(optionalDependencies ?? {})
    .filter(([name]) => !isLocked(name, asking))
    .map(([name, version]) => [`node_modules/${name}`, lockEntry(name, version, dev)] as const),
);
const addressed = Object.values(lock.packages).filter((entry) => entry.resolved !== undefined);

if (process.argv.includes('--check')) {
  for (const [path] of missing) process.stderr.write(`${FILE} lacks ${path}\n`);
  if (addressed.length > 0) {
    process.stderr.write(`${FILE} names a registry ${addressed.length} times\n`);
  }
  if (missing.length + addressed.length > 0) {
    process.stderr.write('Run `npm run lock`.\n');
    process.exitCode = 1;
  }
} else {
  for (const entry of addressed) delete entry.resolved;
  const packages = [...Object.entries(lock.packages), ...missing];
  // npm's own order, so that its next change stays small.
  packages.sort(([a], [b]) => a.localeCompare(b, 'en'));
  writeFileSync(
    FILE,
    `${JSON.stringify({ ...lock, packages: Object.fromEntries(packages) }, null, 2)}\n`,
  );
}

/** A package is found beside the one that asks for it, below it, or below anything around it. */
function isLocked(name: string, asking: string): boolean {
  for (let folder = asking; ; folder = folder.slice(0, folder.lastIndexOf('/node_modules/'))) {
    if (`${folder}/node_modules/${name}` in lock.packages) return true;
    if (!folder.includes('/node_modules/')) return `node_modules/${name}` in lock.packages;
  }
}

function lockEntry(name: string, version: string, dev: boolean | undefined): LockEntry {
  const { os, cpu, abi } = SYSTEM.exec(name)?.groups ?? {};
  if (!os || !cpu || !/^\d/.test(version)) {
    throw new Error(
      `${FILE} lacks ${name}@${version}, which fits no pattern known here: add it by hand`,
    );
  }
  return {
    version,
    cpu: [cpu],
    ...(dev && { dev }),
    ...(os === 'linux' && abi && { libc: [abi.startsWith('musl') ? 'musl' : 'glibc'] }),
    optional: true,
    os: [os],
  };
}
