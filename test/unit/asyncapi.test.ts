/** schemas/asyncapi.yaml is AsyncAPI, and speaks of the events that there are. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { Ajv } from 'ajv';
import formats from 'ajv-formats';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { streamKey } from '../../src/adapters/bus/redis-streams/keys.ts';
import { loadConfig } from '../../src/config.ts';
import { EVENT_TYPES } from '../../src/model/event.ts';
import { REPORT_GROUP } from '../../src/rescue/report/reporter.ts';

const folder = new URL('../../schemas/', import.meta.url);
const text = readFileSync(new URL('asyncapi.yaml', folder), 'utf8');
const description = parse(text) as Description;

interface Description {
  readonly channels: {
    readonly events: {
      readonly address: string;
      readonly parameters: { readonly prefix: { readonly default: string } };
      readonly messages: Readonly<Record<string, { readonly $ref: string }>>;
    };
  };
  readonly components: {
    readonly messages: Readonly<
      Record<
        string,
        {
          readonly name: string;
          readonly headers: { readonly $ref: string };
          readonly payload: { readonly schema: { readonly $ref: string } };
        }
      >
    >;
  };
}

/** The published JSON Schema of AsyncAPI 3.0. */
function asyncApi() {
  const path = new URL(import.meta.resolve('@asyncapi/specs/schemas/3.0.0.json'));
  // It brings the schema of JSON Schema along.
  const ajv = new Ajv({ strict: false, allErrors: true, meta: false, validateSchema: false });
  formats.default(ajv);
  return ajv.compile(JSON.parse(readFileSync(path, 'utf8')) as object);
}

test('it is AsyncAPI 3.0 by the schema of AsyncAPI, which refuses what is not', () => {
  const valid = asyncApi();
  expect(valid(description) ? [] : valid.errors).toEqual([]);
  expect(valid({ ...description, operations: { publish: { action: 'shout' } } })).toBe(false);
});

test('it names every type of event and every schema, and nothing else', () => {
  const types = [...EVENT_TYPES].sort();
  const { messages } = description.components;
  expect(Object.keys(description.channels.events.messages).sort()).toEqual(types);
  expect(Object.keys(messages).sort()).toEqual(types);
  const schemas = Object.values(messages).map(({ payload }) => payload.schema.$ref);
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
  expect(schemas.sort()).toEqual(files.map((name) => `./${name}`).sort());
});

test('each message is that of its type, in name, field and schema', () => {
  for (const [type, message] of Object.entries(description.components.messages)) {
    expect(message.name).toBe(type);
    expect(resolved(message.headers.$ref)).toMatchObject({ properties: { type: { const: type } } });
    const file = new URL(message.payload.schema.$ref, folder);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({
      properties: { type: { const: type } },
    });
  }
});

test('everything that it refers to is there', () => {
  const refs = [...text.matchAll(/\$ref: (\S+)/g)].map(([, ref = '']) => ref.replaceAll("'", ''));
  expect(refs.length).toBeGreaterThan(EVENT_TYPES.length);
  for (const ref of refs) {
    if (ref.startsWith('#')) expect(resolved(ref), ref).toBeDefined();
    else expect(existsSync(new URL(ref, folder)), ref).toBe(true);
  }
});

test('it tells the stream and the group of the daemon as they are', () => {
  const { address, parameters } = description.channels.events;
  const { prefix } = loadConfig({});
  expect(parameters.prefix.default).toBe(prefix);
  expect(address.replace('{prefix}', prefix)).toBe(streamKey(prefix));
  expect(text).toContain(REPORT_GROUP);
});

/** What a reference within the file stands for. */
function resolved(ref: string): unknown {
  const [, ...path] = ref.split('/');
  return path.reduce<unknown>(
    (node, name) => (node as Readonly<Record<string, unknown>> | undefined)?.[name],
    description,
  );
}
