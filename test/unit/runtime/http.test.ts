import { Agent, get } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { UsageError } from '../../../src/model/errors.ts';
import { type CheckResult, Health } from '../../../src/runtime/health.ts';
import { HttpServer } from '../../../src/runtime/http.ts';
import { Telemetry } from '../../../src/runtime/telemetry.ts';

const servers: HttpServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop(AbortSignal.timeout(5_000))));
});

async function serve(health = new Health(), died?: AbortSignal, port = 0): Promise<HttpServer> {
  const server = new HttpServer({
    address: { host: '127.0.0.1', port },
    setting: 'REKINDLE_HTTP',
    health,
    telemetry: new Telemetry(),
    ...(died && { died }),
  });
  servers.push(server);
  await server.start();
  return server;
}

test('it is live until a service has died', async () => {
  const death = new AbortController();
  const { url } = await serve(new Health(), death.signal);
  expect((await fetch(`${url}/live`)).status).toBe(200);
  death.abort(new Error('the watcher broke'));
  const answer = await fetch(`${url}/live`);
  expect(answer.status).toBe(503);
  expect(await answer.json()).toEqual({ status: 'failed', detail: 'the watcher broke' });
});

test('it is ready while no check has failed; degraded is ready', async () => {
  const health = new Health();
  let result: CheckResult = { status: 'degraded', detail: 'no notifications' };
  health.register('redis', () => result);
  const { url } = await serve(health);
  const degraded = await fetch(`${url}/ready`);
  expect(degraded.status).toBe(200);
  expect(await degraded.json()).toEqual({ status: 'degraded', checks: { redis: result } });
  result = { status: 'failed', detail: 'away' };
  expect((await fetch(`${url}/ready`)).status).toBe(503);
});

test('a check that throws, or says nothing, counts as the worst that it may be', async () => {
  const health = new Health(20);
  const silent = new Promise<never>(() => undefined);
  health.register('bus', () => silent, 'degraded');
  health.register('work', () => Promise.reject(new Error('away')), 'degraded');
  const { url } = await serve(health);
  const degraded = await fetch(`${url}/ready`);
  expect(degraded.status).toBe(200);
  expect(await degraded.json()).toEqual({
    status: 'degraded',
    checks: {
      bus: { status: 'degraded', detail: 'no answer within 20 ms' },
      work: { status: 'degraded', detail: 'away' },
    },
  });
  health.register('redis', () => silent);
  expect((await fetch(`${url}/ready`)).status).toBe(503);
});

test('it shows metrics as Prometheus reads them', async () => {
  const { url } = await serve();
  const answer = await fetch(`${url}/metrics`);
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
});

test('an address in use is an error that names it and its setting', async () => {
  const port = Number(new URL((await serve()).url!).port);
  const refused = serve(new Health(), undefined, port);
  await expect(refused).rejects.toThrow(UsageError);
  await expect(refused).rejects.toThrow(
    `127.0.0.1:${port} (REKINDLE_HTTP) is in use by another program`,
  );
});

test('a stop is not held up by a client that keeps its connection', async () => {
  const server = await serve();
  const agent = new Agent({ keepAlive: true });
  await new Promise((resolve) =>
    get(`${server.url!}/live`, { agent }, (answer) => answer.resume().on('end', resolve)),
  );
  const startedAt = Date.now();
  await server.stop(AbortSignal.timeout(2_000));
  expect(Date.now() - startedAt).toBeLessThan(1_000);
  expect(server.url).toBeUndefined();
  agent.destroy();
});
