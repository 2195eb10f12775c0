/** The files for Docker and Kubernetes agree with the code. They are not run here: that needs an engine. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { NOTIFY_FLAGS } from '../../src/adapters/hot/redis/interrogate.ts';
import { loadConfig, settingsTable } from '../../src/config.ts';
import { Health } from '../../src/runtime/health.ts';
import { HttpServer } from '../../src/runtime/http.ts';
import { Telemetry } from '../../src/runtime/telemetry.ts';

interface Compose {
  readonly services: {
    readonly redis: { readonly command: readonly string[]; readonly ports: readonly string[] };
    readonly daemon: {
      readonly environment: Readonly<Record<string, string>>;
      readonly volumes: readonly string[];
      readonly ports: readonly string[];
      readonly read_only: boolean;
    };
  };
  readonly volumes: Readonly<Record<string, unknown>>;
}

interface Claim {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly accessModes: readonly string[] };
}

interface ConfigMap {
  readonly metadata: { readonly name: string };
  readonly data: Readonly<Record<string, string>>;
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

interface Labelled {
  readonly matchLabels: Readonly<Record<string, string>>;
}

interface Deployment {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly replicas: number;
    readonly strategy?: { readonly type: string };
    readonly selector: Labelled;
    readonly template: {
      readonly metadata: {
        readonly labels: Readonly<Record<string, string>>;
        readonly annotations: Readonly<Record<string, string>>;
      };
      readonly spec: {
        readonly securityContext: Readonly<Record<string, unknown>>;
        readonly volumes?: readonly {
          readonly name: string;
          readonly persistentVolumeClaim: { readonly claimName: string };
        }[];
        readonly containers: readonly [Container];
      };
    };
  };
}

interface Container {
  readonly image: string;
  readonly command: readonly string[];
  readonly envFrom: readonly { readonly configMapRef: { readonly name: string } }[];
  readonly env: readonly { readonly name: string; readonly valueFrom: object }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly resources: object;
  readonly securityContext: object;
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
}

const ROOT = new URL('../../', import.meta.url);
const read = (file: string): string => readFileSync(new URL(file, ROOT), 'utf8');
const yaml = (file: string): unknown => parse(read(file));
const json = (file: string): unknown => JSON.parse(read(file));

const compose = yaml('docker-compose.yml') as Compose;
const { redis, daemon } = compose.services;
const configMap = yaml('k8s/configmap.yaml') as ConfigMap;
const watcher = yaml('k8s/watcher.yaml') as Deployment;
const [claim, demoter] = parseAllDocuments(read('k8s/demoter.yaml')).map((document) => {
  const value: unknown = document.toJS();
  return value;
}) as [Claim, Deployment];
const workers = [watcher, demoter].map((deployment) => {
  const { metadata, spec } = deployment.spec.template;
  return {
    name: deployment.metadata.name,
    deployment,
    metadata,
    spec,
    container: spec.containers[0],
  };
});
const dockerfile = read('Dockerfile')
  .replaceAll(/\\\n\s*/g, ' ')
  .split('\n');
const manifest = json('package.json') as {
  readonly version: string;
  readonly scripts: {
    readonly build: string;
    readonly start: string;
    readonly watcher: string;
    readonly demoter: string;
    readonly compactor: string;
    readonly reporter: string;
  };
  readonly devDependencies: { readonly node: string };
};

/** What follows an instruction of the Dockerfile, each time it occurs. */
const instructions = (name: string): string[] =>
  dockerfile
    .filter((line) => line.startsWith(`${name} `))
    .map((line) => line.slice(name.length + 1));

/** Settings of ours: those of Node and SQLite stand beside them. */
function withoutOthers(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(NODE|SQLITE)_/.test(name)));
}

describe('settings', () => {
  const given = {
    'docker-compose.yml': withoutOthers(daemon.environment),
    'k8s/configmap.yaml': configMap.data,
    ...Object.fromEntries(
      workers.map(({ name, container }) => [
        name,
        Object.fromEntries(container.env.map((one) => [one.name, 'redis://example:6379'])),
      ]),
    ),
    Dockerfile: withoutOthers(
      Object.fromEntries(instructions('ENV').map((text) => text.split('=', 2) as [string, string])),
    ),
  };
  const known = settingsTable().map(({ name }) => name);

  test.each(Object.entries(given))('%s names known ones with values that can be read', (_, env) => {
    expect(Object.keys(env).filter((name) => !known.includes(name))).toEqual([]);
    expect(() => loadConfig(env)).not.toThrow();
  });

  test('of Node are the same wherever the daemon is started', () => {
    const [node, ...given] = JSON.parse(instructions('ENTRYPOINT').join()) as string[];
    expect(node).toBe('node');
    const flags = [...given.slice(0, -1), daemon.environment['NODE_OPTIONS']].join(' ');
    expect(flags).toMatch(
      /^--max-semi-space-size=\d+ --initial-old-space-size=\d+ --max-old-space-size=\d+$/,
    );
    expect(manifest.scripts.start).toContain(` ${flags} src/cli/main.ts daemon`);
    expect(manifest.scripts.watcher).toContain(` ${flags} workers/watcher.ts`);
    expect(manifest.scripts.demoter).toContain(` ${flags} workers/demoter.ts`);
    expect(manifest.scripts.compactor).toContain(` ${flags} workers/compactor.ts`);
    expect(manifest.scripts.reporter).toContain(` ${flags} workers/reporter.ts`);
    expect(read('docs/operations.md')).toContain(`\`${flags}\``);
    // In the cluster how large the heap may grow goes by the container's memory.
    for (const { container } of workers)
      expect(container.command.slice(1, -1)).toEqual(given.slice(0, -1));
  });

  test('with secrets come from a secret of the cluster', () => {
    for (const { container } of workers) {
      expect(container.env).toEqual([
        { name: 'REDIS_URL', valueFrom: { secretKeyRef: { name: 'rekindle-redis', key: 'url' } } },
      ]);
    }
    expect(Object.keys(configMap.data).filter((name) => /URL|PASSWORD/.test(name))).toEqual([]);
  });
});

test('the Redis of docker-compose.yml notifies, persists and never evicts', () => {
  const pairs = redis.command.slice(1).map((text) => text.replaceAll('$$', '$'));
  const options = Object.fromEntries(
    Array.from({ length: pairs.length / 2 }, (_, index) => pairs.slice(2 * index, 2 * index + 2)),
  ) as Record<string, string>;
  expect(options).toEqual({
    '--appendonly': 'yes',
    '--maxmemory-policy': 'noeviction',
    '--notify-keyspace-events': NOTIFY_FLAGS,
  });
});

describe('the port', () => {
  const port = 8787;

  test('is the same wherever it is named', () => {
    expect(loadConfig({}).http?.port).toBe(port);
    expect(loadConfig(withoutOthers(daemon.environment)).http).toEqual({ host: '0.0.0.0', port });
    expect(loadConfig(configMap.data).http).toEqual({ host: '0.0.0.0', port });
    expect(instructions('EXPOSE')).toEqual([String(port)]);
    expect(instructions('HEALTHCHECK').join()).toContain(`http://127.0.0.1:${port}/live`);
    for (const { container, metadata } of workers) {
      expect(container.ports).toEqual([{ name: 'http', containerPort: port }]);
      expect(metadata.annotations['prometheus.io/port']).toBe(String(port));
    }
  });

  test('is published on loopback alone', () => {
    expect(daemon.ports).toEqual([`127.0.0.1:${port}:${port}`]);
    for (const published of redis.ports) expect(published).toMatch(/^127\.0\.0\.1:/);
  });
});

test('probes and scrapes ask for paths that the daemon serves', async () => {
  const probes = workers.flatMap(({ container }) =>
    [container.startupProbe, container.livenessProbe, container.readinessProbe].map(
      ({ httpGet }) => httpGet,
    ),
  );
  expect(new Set(probes.map((probe) => probe.port))).toEqual(new Set(['http']));
  const server = new HttpServer({
    address: { host: '127.0.0.1', port: 0 },
    setting: 'none',
    health: new Health(),
    telemetry: new Telemetry(),
  });
  await server.start();
  try {
    for (const path of [
      ...probes.map((probe) => probe.path),
      ...workers.map(({ metadata }) => metadata.annotations['prometheus.io/path']),
    ]) {
      expect((await fetch(new URL(path!, server.url))).status, path).toBe(200);
    }
  } finally {
    await server.stop(AbortSignal.abort());
  }
});

describe('the image', () => {
  test('runs the Node that the tests run', () => {
    const [major, minor] = manifest.devDependencies.node.split('.');
    for (const from of instructions('FROM')) expect(from).toContain(`node:${major}.${minor}-slim`);
  });

  test('is built from files that are there and that Docker is given', () => {
    const ignored = read('.dockerignore').split('\n');
    const copied = instructions('COPY')
      .filter((text) => !text.startsWith('--from'))
      .flatMap((text) => text.split(' ').slice(0, -1));
    expect(copied).toContain('src');
    for (const path of copied) {
      expect(existsSync(new URL(path, ROOT)), path).toBe(true);
      expect(ignored).not.toContain(path);
    }
  });

  test('starts programs that the build makes', () => {
    const { compilerOptions, include } = parse(
      read('tsconfig.build.json').replaceAll(/^\s*\/\/.*$/gm, ''),
    ) as { compilerOptions: Record<string, string>; include: string[] };
    expect(compilerOptions).toMatchObject({ rootDir: '.', outDir: 'dist' });
    const programs = [
      JSON.parse(instructions('ENTRYPOINT')[0]!) as string[],
      ...workers.map(({ container }) => container.command),
    ];
    for (const [node, ...args] of programs) {
      const program = args.at(-1) ?? '';
      expect(node).toBe('node');
      const [, folder, file] = /^dist\/(\w+)\/(.+)\.js$/.exec(program) ?? [];
      expect(include).toContain(folder);
      expect(existsSync(new URL(`${folder}/${file}.ts`, ROOT)), program).toBe(true);
    }
  });

  test('holds every Lua script', () => {
    const folders = new Set(globSync('src/**/*.lua', { cwd: ROOT }).map((file) => dirname(file)));
    expect(folders.size).toBeGreaterThan(0);
    for (const folder of folders) {
      expect(manifest.scripts.build).toContain(`cp -r ${folder} dist/${dirname(folder)}/`);
    }
  });
});

test('the parts of k8s/ find each other', () => {
  const { resources, images } = yaml('k8s/kustomization.yaml') as {
    resources: string[];
    images: { name: string; newTag: string }[];
  };
  const files = globSync('*.yaml', { cwd: new URL('k8s/', ROOT) });
  expect([...resources, 'kustomization.yaml'].sort()).toEqual(files.sort());
  for (const { container, deployment, metadata } of workers) {
    expect(images).toMatchObject([{ name: container.image, newTag: manifest.version }]);
    expect(container.envFrom).toEqual([{ configMapRef: { name: configMap.metadata.name } }]);
    expect(metadata.labels).toMatchObject(deployment.spec.selector.matchLabels);
  }
  const disruption = yaml('k8s/disruption.yaml') as { spec: { selector: Labelled } };
  expect(watcher.spec.template.metadata.labels).toMatchObject(disruption.spec.selector.matchLabels);
  expect(demoter.spec.template.metadata.labels).not.toMatchObject(
    disruption.spec.selector.matchLabels,
  );
});

describe('the warm tier', () => {
  const [dataDir] = instructions('VOLUME');

  test('lies on a volume of its own that the user of the container may write to', () => {
    expect(instructions('RUN').join()).toContain(`install -d -o 1000 -g 1000 ${dataDir}`);
    expect(instructions('USER')).toEqual(['1000']);
    expect(instructions('ENV')).toContain(`REKINDLE_DATA_DIR=${dataDir}`);
    expect(instructions('ENV')).toContain(`SQLITE_TMPDIR=${dataDir}`);
    const names = daemon.volumes.map((volume) => volume.split(':'));
    expect(names).toEqual([['data', dataDir]]);
    expect(Object.keys(compose.volumes)).toContain('data');
    expect(daemon.environment['REKINDLE_DATA_DIR']).toBe(dataDir);
    expect(daemon.read_only).toBe(true);
  });

  test('is one pod’s of the cluster, and the watchers write nothing', () => {
    expect(configMap.data['REKINDLE_DATA_DIR']).toBe(dataDir);
    const { spec, container } = workers[1]!;
    expect(spec.volumes).toEqual([
      { name: 'data', persistentVolumeClaim: { claimName: claim.metadata.name } },
    ]);
    expect(container.volumeMounts).toEqual([{ name: 'data', mountPath: dataDir }]);
    expect(claim.spec.accessModes).toEqual(['ReadWriteOnce']);
    expect(demoter.spec).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } });
    expect(workers[0]!.container.volumeMounts).toBeUndefined();
  });

  test('is worked on with no more rights than the watchers have', () => {
    const [ours, theirs] = [workers[1]!, workers[0]!];
    expect(ours.container.securityContext).toEqual(theirs.container.securityContext);
    expect(ours.container.resources).toEqual(theirs.container.resources);
    const { fsGroup, fsGroupChangePolicy: _how, ...rest } = ours.spec.securityContext;
    expect(rest).toEqual(theirs.spec.securityContext);
    expect(fsGroup).toBe(rest['runAsGroup']);
  });
});
