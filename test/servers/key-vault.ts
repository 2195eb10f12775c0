import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type Certificate, makeCertificate } from './certificate.ts';

export interface KeyVault extends AsyncDisposable {
  readonly url: string;
  /** Those who ask must believe it. */
  readonly certificate: Certificate;
  /** Adds a version of a secret; the latest is the one that is read. */
  set(name: string, value: string): void;
  /** Lets nobody read the latest version. */
  disable(name: string): void;
  remove(name: string): void;
  /** What is answered to the n-th request with a valid token, from 0, instead of what is stored. */
  judge: (n: number) => VaultVerdict;
  /** Requests with a valid token so far, and those that were sent away to get one. */
  readonly requests: { valid: number; challenged: number };
}

export type VaultVerdict =
  | 'pass'
  | 'hang'
  | 'cut'
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>> };

interface Version {
  readonly id: string;
  readonly value: string;
  enabled: boolean;
}

const RESOURCE = 'https://vault.azure.net';
const CHALLENGE = `Bearer authorization="https://login.microsoftonline.com/00000000-0000-4000-8000-00000000aaaa", resource="${RESOURCE}"`;

/**
 * The part of a Key Vault that reads secrets, over HTTPS on loopback
 * (learn.microsoft.com/rest/api/keyvault/secrets/get-secret). Who brings no token that is for it and still valid gets the
 * challenge; signatures are not checked.
 */
export async function startKeyVault(): Promise<KeyVault> {
  const certificate = await makeCertificate();
  const secrets = new Map<string, Version[]>();
  const server = createServer(certificate, (request, response) => {
    serve(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const vault: KeyVault = {
    url,
    certificate,
    set: (name, value) => {
      const version = { id: randomUUID().replaceAll('-', ''), value, enabled: true };
      secrets.set(name, [...(secrets.get(name) ?? []), version]);
    },
    disable: (name) => {
      const latest = secrets.get(name)?.at(-1);
      if (latest) latest.enabled = false;
    },
    remove: (name) => void secrets.delete(name),
    judge: () => 'pass',
    requests: { valid: 0, challenged: 0 },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return vault;

  function serve(request: IncomingMessage, response: ServerResponse): void {
    if (!isValid(request.headers.authorization)) {
      vault.requests.challenged += 1;
      response.setHeader('www-authenticate', CHALLENGE);
      refuse(response, 401, 'Unauthorized');
      return;
    }
    const verdict = vault.judge(vault.requests.valid++);
    if (verdict === 'hang') return;
    if (verdict === 'cut') {
      response.destroy();
      return;
    }
    if (verdict !== 'pass') {
      for (const [name, value] of Object.entries(verdict.headers ?? {}))
        response.setHeader(name, value);
      refuse(response, verdict.status, 'AsTold');
      return;
    }
    const [, kind, name = '', id = ''] = new URL(request.url ?? '/', url).pathname.split('/');
    const versions = kind === 'secrets' ? (secrets.get(name) ?? []) : [];
    const found = id === '' ? versions.at(-1) : versions.find((version) => version.id === id);
    if (!found) refuse(response, 404, 'SecretNotFound');
    else if (!found.enabled) refuse(response, 403, 'Forbidden', 'SecretDisabled');
    else {
      const { value, enabled } = found;
      const body = { value, id: `${url}/secrets/${name}/${found.id}`, attributes: { enabled } };
      response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
    }
  }
}

function refuse(response: ServerResponse, status: number, code: string, inner?: string): void {
  const innererror = inner === undefined ? {} : { innererror: { code: inner } };
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ error: { code, message: `refused: ${code}`, ...innererror } }));
}

function isValid(authorization: string | undefined): boolean {
  const claims = /^Bearer [^.]+\.([^.]+)\./.exec(authorization ?? '')?.[1];
  if (claims === undefined) return false;
  const { aud, exp } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as {
    aud: string;
    exp: number;
  };
  return aud === RESOURCE && exp * 1_000 > Date.now();
}
