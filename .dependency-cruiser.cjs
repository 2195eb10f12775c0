// Imports run one way (docs/internals.md): workers, cli -> compose -> domain, adapters -> ports -> model.
// Each rule states its reason in `comment`; scripts/check-boundaries.ts runs them.

const DOMAIN = '^src/(abandonment|tiers|recall|memory|rescue|insight|replay)/';

/**
 * What the domain may use of npm: libraries that compute. A list of what is allowed, so that a
 * client library nobody thought of is refused as well.
 */
const PURE_LIBRARIES = [
  'cron-parser',
  'cockatiel',
  'countries-and-timezones',
  'csv-parse',
  'fastest-levenshtein',
  'gpt-tokenizer',
  'libphonenumber-js',
  'luxon',
  'ms',
  'stemmer',
  'uuid',
  'zod',
];

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      comment: 'Files that import each other can be read, tested and moved only together.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'nothing-unresolved',
      comment: 'An import that cannot be resolved is an import that no rule here has checked.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'model-imports-nothing-of-ours',
      comment: 'The nouns are the ground that everything stands on.',
      severity: 'error',
      from: { path: '^src/model/' },
      to: { path: '^(src|workers|test|bench|scripts)/', pathNot: '^src/model/' },
    },
    {
      name: 'ports-import-model-only',
      comment: 'A port is a promise in words of the model; any adapter must be able to keep it.',
      severity: 'error',
      from: { path: '^src/ports/' },
      to: { path: '^(src|workers|test|bench|scripts)/', pathNot: '^src/(ports|model)/' },
    },
    {
      name: 'runtime-imports-model-only',
      comment:
        'Services, loops and leases know nothing of carts, so that every worker can use them.',
      severity: 'error',
      from: { path: '^src/runtime/' },
      to: { path: '^(src|workers|test|bench|scripts)/', pathNot: '^src/(runtime|model)/' },
    },
    {
      name: 'domain-looks-down-only',
      comment:
        'The domain is handed its adapters and settings: two instances with different ones may share a process.',
      severity: 'error',
      from: { path: DOMAIN },
      to: {
        path: '^(src|workers|test|bench|scripts)/',
        pathNot: [DOMAIN, '^src/(ports|model|runtime)/'],
      },
    },
    {
      name: 'adapters-keep-promises-only',
      comment:
        'An adapter translates. What it would need of the domain is a decision, and belongs there.',
      severity: 'error',
      from: { path: '^src/adapters/' },
      to: {
        path: '^(src|workers|test|bench|scripts)/',
        pathNot: '^src/(adapters|ports|model|runtime)/',
      },
    },
    {
      name: 'adapters-do-not-know-each-other',
      comment:
        'Each can be replaced alone: what two of them share is a port, or belongs in runtime. How one service is spoken to may be shared: src/adapters/{azure,openai,redis}.',
      severity: 'error',
      from: { path: '^src/adapters/([^/]+/[^/]+?)(/|[.]ts$)' },
      to: {
        path: '^src/adapters/',
        pathNot: ['^src/adapters/$1(/|[.]ts$)', '^src/adapters/(azure|openai|redis)/'],
      },
    },
    {
      name: 'only-compose-imports-adapters',
      comment:
        'One place picks the adapters, lazily: an unused one is never loaded, nor its client library.',
      severity: 'error',
      from: {
        path: '^(src|workers)/',
        pathNot: '^src/(adapters/|compose[a-z-]*[.]ts$)',
      },
      to: { path: '^src/adapters/' },
    },
    {
      name: 'domain-sees-no-client-library',
      comment:
        'Clients of Redis, queues, clouds and HTTP live in adapters; the domain uses libraries that compute.',
      severity: 'error',
      from: { path: [DOMAIN, '^src/(model|ports)/'] },
      to: {
        dependencyTypes: [
          'npm',
          'npm-dev',
          'npm-optional',
          'npm-peer',
          'npm-no-pkg',
          'npm-unknown',
        ],
        pathNot: `(^|/)node_modules/(@types/)?(${PURE_LIBRARIES.join('|')})/`,
      },
    },
    {
      name: 'domain-opens-no-socket',
      comment: 'Stores, sockets and processes are behind ports; files are read by replay alone.',
      severity: 'error',
      from: { path: [DOMAIN, '^src/(model|ports)/'] },
      to: {
        dependencyTypes: ['core'],
        path: '^(node:)?(sqlite|net|tls|dgram|https?|http2|child_process|cluster|worker_threads)$',
      },
    },
    {
      name: 'policy-is-a-function-of-its-arguments',
      comment:
        'It does no I/O and reads no clock: backtest and replay agree with the daemon because of that.',
      severity: 'error',
      from: { path: '^src/abandonment/policy[.]ts$' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?crypto$' },
    },
    {
      name: 'nobody-imports-a-door',
      comment: 'Workers and commands are entrances; what two of them share belongs behind them.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/cli/' },
      to: { path: '^(src/cli|workers)/' },
    },
    {
      name: 'workers-and-cli-are-separate-doors',
      comment:
        'A worker in a container carries no command line, and a command starts no other entrance.',
      severity: 'error',
      from: { path: '^(workers|src/cli)/' },
      to: { path: '^(workers|src/cli)/', pathNot: '^$1/' },
    },
    {
      name: 'sources-import-no-tests',
      comment: 'What is shipped must work without what is not.',
      severity: 'error',
      from: { path: '^(src|workers)/' },
      to: { path: '^(test|bench|scripts)/' },
    },
    {
      name: 'sources-import-no-dev-dependency',
      comment: 'Development packages are absent where the published package runs.',
      severity: 'error',
      from: { path: '^(src|workers)/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // An import of a type binds two files as much as any other.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
      mainFields: ['module', 'main', 'types'],
    },
  },
};
