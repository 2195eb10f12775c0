import { z } from 'zod';
import type { Form } from './forms.ts';

/** Where a Redis is, in the variables that deployments use; `url` or the others. */
export interface RedisParts {
  readonly url: string | undefined;
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly db: number | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly ssl: boolean | undefined;
}

export const redisUrl: Form<string> = {
  accepts: 'redis://[USER:PASSWORD@]HOST[:PORT][/DB], with rediss:// for TLS',
  schema: z.string().refine((text) => {
    const url = URL.parse(text);
    return (
      url !== null &&
      /^rediss?:$/.test(url.protocol) &&
      url.hostname !== '' &&
      /^(\/\d{0,4})?$/.test(url.pathname) &&
      url.hash === ''
    );
  }),
};

/**
 * One URL for all of them. A URL keeps its own host, port, database and TLS; user name and password fill in what it
 * leaves out, since deployments keep secrets apart.
 */
export function composeRedisUrl(parts: RedisParts, fallback: string): string {
  const url = new URL(parts.url ?? (parts.host === undefined ? fallback : 'redis://localhost'));
  if (parts.url === undefined) {
    if (parts.ssl) url.protocol = 'rediss:';
    if (parts.host !== undefined)
      url.hostname = parts.host.includes(':') ? `[${parts.host}]` : parts.host;
    if (parts.port !== undefined) url.port = String(parts.port);
    if (parts.db !== undefined) url.pathname = `/${parts.db}`;
  }
  if (url.password === '' && parts.password !== undefined) {
    url.password = encodeURIComponent(parts.password);
    if (url.username === '' && parts.username !== undefined)
      url.username = encodeURIComponent(parts.username);
  }
  return url.href;
}

const MASK = '***';

/** The text with credentials in URLs made unreadable; up to the last `@`, for passwords may hold one too. */
export function maskCredentials(text: string): string {
  return text
    .replaceAll(/([a-z][\w+.-]*:\/\/)\S*@/gi, `$1${MASK}@`)
    .replaceAll(/([?&](?:password|token|secret|key|sig)=)[^&\s]*/gi, `$1${MASK}`);
}

/** A URL without its credentials; of a text that is none, only that there is one. */
export function maskUrl(text: string): string {
  return URL.canParse(text) && text.includes('://') ? maskCredentials(text) : MASK;
}
