import { readFileSync, readdirSync } from 'node:fs';
import type { ErrorObject, ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';

const folder = new URL('../../schemas/', import.meta.url);
const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true, strictRequired: false });
formats.default(ajv);
const byUrn = new Map<string, ValidateFunction>();
for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
  const schema = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as { $id: string };
  byUrn.set(schema.$id, ajv.compile(schema));
}

/** Throws with every fault unless the event fits the schema that it names itself. Every event that a test sees leave goes through here. */
export function assertValidEvent(event: unknown): void {
  const urn = (event as { readonly dataschema?: unknown } | null)?.dataschema;
  const validate = byUrn.get(String(urn));
  if (!validate) throw new Error(`no schema of schemas/ has the $id ${String(urn)}`);
  if (validate(event)) return;
  const faults = (validate.errors ?? []).map(describeFault).join('\n');
  throw new Error(`no valid event:\n${faults}\n${JSON.stringify(event, undefined, 2)}`);
}

function describeFault({ instancePath, message, params }: ErrorObject): string {
  return `  ${instancePath || '/'} ${message ?? ''} ${JSON.stringify(params)}`;
}
