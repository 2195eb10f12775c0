import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface IssuedToken {
  readonly token: string;
  readonly resource: string;
  /** Unix seconds. */
  readonly expiresOn: number;
}

export interface ManagedIdentity extends AsyncDisposable {
  /** To be put into the environment of those who take tokens from here. */
  readonly environment: {
    readonly IDENTITY_ENDPOINT: string;
    readonly IDENTITY_HEADER: string;
  };
  /** Of the identity, as the claim `oid` has it. */
  readonly oid: string;
  readonly issued: readonly IssuedToken[];
  /** How long tokens last that are issued from now on; they have whole seconds. */
  lifetimeMs: number;
  /** Answered to every request instead of a token, while set. */
  status: number | undefined;
}

const HOUR_MS = 3_600_000;
const TENANT = '00000000-0000-4000-8000-00000000aaaa';

/**
 * The endpoint at which an App Service gives tokens of its managed identity to its process, on loopback
 * (learn.microsoft.com/azure/app-service/overview-managed-identity, "REST endpoint reference"). Tokens are not signed.
 */
export async function startManagedIdentity({
  lifetimeMs = HOUR_MS,
}: {
  readonly lifetimeMs?: number;
} = {}): Promise<ManagedIdentity> {
  const header = randomUUID();
  const oid = randomUUID();
  const issued: IssuedToken[] = [];
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1');
    const answer = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    const resource = searchParams.get('resource');
    if (identity.status !== undefined) answer(identity.status, { error: 'as told' });
    else if (request.headers['x-identity-header'] !== header) answer(401, { error: 'header' });
    else if (pathname !== '/msi/token' || resource === null) answer(400, { error: 'request' });
    else {
      const one = tokenFor(resource, { oid, lifetimeMs: identity.lifetimeMs });
      issued.push(one);
      answer(200, {
        access_token: one.token,
        expires_on: String(one.expiresOn),
        resource,
        token_type: 'Bearer',
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const identity: ManagedIdentity = {
    environment: {
      IDENTITY_ENDPOINT: `http://127.0.0.1:${port}/msi/token`,
      IDENTITY_HEADER: header,
    },
    oid,
    issued,
    lifetimeMs,
    status: undefined,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return identity;
}

function tokenFor(
  resource: string,
  { oid, lifetimeMs }: { readonly oid: string; readonly lifetimeMs: number },
): IssuedToken {
  const now = Math.floor(Date.now() / 1_000);
  const expiresOn = now + Math.ceil(lifetimeMs / 1_000);
  const claims = {
    aud: resource,
    iss: `https://sts.windows.net/${TENANT}/`,
    iat: now,
    nbf: now,
    exp: expiresOn,
    oid,
    sub: oid,
    tid: TENANT,
    jti: randomUUID(),
  };
  const parts = [{ alg: 'none', typ: 'JWT' }, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  );
  return { token: `${parts.join('.')}.`, resource, expiresOn };
}
