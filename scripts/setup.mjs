// Makes a fresh clone ready: installs what is missing and says so, or does nothing, quickly.
// Plain JavaScript of an old kind, for it runs under the Node that the machine happens to have;
// its stdout stays empty, for a program may read what the command behind it prints.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HELP = `Usage: node scripts/setup.mjs [--for start|demo|test]

Installs what is missing, says on stderr what and why, and changes nothing else:
  start  the packages of package-lock.json, Node 24 among them (default)
  demo   also redis-server, unless REDIS_URL is set or one is on the path
  test   also redis-server, unless one is on the path: the tests start their own
`;

/** Enough to run npm and this file; everything else runs under the Node 24 that npm installs. */
const LEAST_NODE = 20;

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const NODE_24 = join(ROOT, 'node_modules', '.bin', 'node');

/** What npm leaves in place of Node where it may not run install scripts is a few bytes long. */
const LEAST_NODE_BYTES = 1_000_000;

/**
 * Installs Debian's package without letting it start its service, now or at the next boot: policy-rc.d
 * is how Debian's install scripts ask. One that is there already is left as it is.
 */
const APT_INSTALL = `
set -e
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 1' INT TERM HUP
  printf '#!/bin/sh\\nexit 101\\n' > "$policy"
  chmod 755 "$policy"
fi
# A stale index may do; a broken foreign source must not stop us.
apt-get -q update || true
apt-get -q install -y --no-install-recommends -o DPkg::Lock::Timeout=120 redis-server
if [ -d /run/systemd/system ]; then systemctl disable --now redis-server; fi
`;

/** In order of preference; `script` is what runs, `manual` what a person would type. */
const PACKAGE_MANAGERS = [
  {
    command: 'apt-get',
    manual: ['apt-get update', 'apt-get install -y redis-server'],
    script: APT_INSTALL,
  },
  { command: 'dnf', manual: ['dnf install redis'], script: 'dnf install -y redis' },
  { command: 'apk', manual: ['apk add redis'], script: 'apk add --no-cache redis' },
  {
    command: 'pacman',
    manual: ['pacman -S redis'],
    script: 'pacman -S --needed --noconfirm redis',
  },
  // Homebrew refuses to run as root.
  { command: 'brew', manual: ['brew install redis'], script: 'brew install redis', asUser: true },
];

/** @typedef {Record<string, { version?: string, optional?: boolean }>} Packages */

/** A reason to stop that its reader can act on. */
class SetupError extends Error {}

try {
  const goal = readGoal(process.argv.slice(2));
  if (goal) setUp(goal);
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(error.message);
  process.exitCode = process.exitCode ?? 1;
}

/** @param {string[]} args */
function readGoal(args) {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(HELP);
    return undefined;
  }
  const [flag = '--for', goal = 'start', ...rest] = args;
  if (flag !== '--for' || !['start', 'demo', 'test'].includes(goal) || rest.length > 0) {
    process.exitCode = 2;
    throw new SetupError(HELP);
  }
  return goal;
}

/** @param {string} goal */
function setUp(goal) {
  if (Number(process.versions.node.split('.')[0]) < LEAST_NODE) {
    throw new SetupError(
      `Node ${LEAST_NODE} or newer is needed to set up; this is ${process.versions.node}.`,
    );
  }
  const lack = packagesLack();
  if (lack) installPackages(lack);
  const needsRedis = goal === 'test' || (goal === 'demo' && !process.env['REDIS_URL']);
  if (needsRedis && !isOnPath('redis-server')) installRedis(goal);
}

/**
 * Why the packages must be installed; undefined if they need not. npm notes what it has installed
 * in node_modules, when it is done: that note is compared, so a \`npm ci\` by hand counts as well.
 */
function packagesLack() {
  const wanted = readPackages('package-lock.json');
  if (!wanted) throw new SetupError(`There is no package-lock.json in ${ROOT}`);
  const installed = readPackages(join('node_modules', '.package-lock.json'));
  if (!installed) return 'the packages are not installed';
  for (const [path, entry] of Object.entries(wanted)) {
    // '' is the project itself; optional ones are for other systems.
    if (path === '' || entry.optional) continue;
    if (installed[path]?.version !== entry.version) {
      return 'the installed packages are not those of package-lock.json';
    }
  }
  return hasNode24() ? undefined : 'Node 24 is not among the installed packages';
}

/**
 * @param {string} file
 * @returns {Packages | undefined}
 */
function readPackages(file) {
  const path = join(ROOT, file);
  if (!existsSync(path)) return undefined;
  try {
    const lock = /** @type {{ packages: Packages }} */ (JSON.parse(readFileSync(path, 'utf8')));
    return lock.packages;
  } catch {
    return undefined;
  }
}

function hasNode24() {
  return existsSync(NODE_24) && statSync(NODE_24).size >= LEAST_NODE_BYTES;
}

/** @param {string} why */
function installPackages(why) {
  say(`Installing packages with \`npm ci\`: ${why}.`);
  // NODE_ENV=production, or a setting of npm, would leave out Node 24 and the tools.
  // The level is said, for `npm run --silent` would hand its silence down and hide why npm failed;
  // and it is not `warn`, for every package would warn of the Node that only sets up.
  const flags = ['--include=dev', '--loglevel=error', '--no-audit', '--no-fund'];
  const status = run(['npm', 'ci', ...flags]);
  if (status !== 0) throw new SetupError('`npm ci` failed; what it said is above.');
  if (!hasNode24()) {
    throw new SetupError(
      'The package `node` did not install Node 24, perhaps because npm may not run install scripts ' +
        'here. Run: npm rebuild node --ignore-scripts=false',
    );
  }
}

/** @param {string} goal */
function installRedis(goal) {
  const why =
    goal === 'test' ? 'the tests start servers of their own' : 'the demo starts its own server';
  const manager = PACKAGE_MANAGERS.find(({ command }) => isOnPath(command));
  if (!manager) {
    throw new SetupError(
      `redis-server is needed (${why}) and not on the path, and no package manager known to this ` +
        'script was found: install Redis 7 or newer, then try again.',
    );
  }
  const asIs = manager.asUser === true || process.getuid?.() === 0;
  const sudo = asIs || !isOnPath('sudo') ? '' : 'sudo ';
  const byHand = `\n\n  ${manager.manual.map((line) => sudo + line).join(' && ')}\n`;
  if (!asIs && !maySudo()) {
    const who = sudo ? 'Run this' : 'Run this as root';
    throw new SetupError(
      `redis-server is needed (${why}) and not on the path, and this script may not install it. ` +
        `${who}, then try again:${byHand}`,
    );
  }
  say(`Installing redis-server with ${manager.command}: ${why}. Its service is not started.`);
  const shell = asIs ? ['sh'] : ['sudo', '-n', 'sh'];
  const status = run([...shell, '-c', manager.script]);
  if (status !== 0 || !isOnPath('redis-server')) {
    const outcome = status === 0 ? 'did not bring a redis-server to the path' : 'failed';
    throw new SetupError(`The installation ${outcome}. Try it by hand:${byHand}`);
  }
}

function maySudo() {
  return isOnPath('sudo') && spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0;
}

/** @param {string} command */
function isOnPath(command) {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** @param {string[]} words */
function run([command = '', ...args]) {
  // What the child prints goes to stderr.
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', 2, 2] });
  if (error) throw new SetupError(`${command} could not be run: ${error.message}`);
  return status;
}

/** @param {string} text */
function say(text) {
  process.stderr.write(`${text}\n`);
}
