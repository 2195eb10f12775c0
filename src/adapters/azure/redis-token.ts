import type { AccessToken, TokenCredential } from '@azure/identity';
import { MINUTE_MS, SECOND_MS } from '../../model/duration.ts';
import { type Renewal, Renewed, type RenewedOptions } from '../../runtime/renewed.ts';

/** What a token for Azure Cache for Redis, and Azure Managed Redis, is asked for. */
const SCOPE = 'https://redis.azure.com/.default';

/** The service wants the next token three minutes before the end of the one that was shown. */
const BEFORE_END_MS = 4 * MINUTE_MS;

const LEAST_MS = SECOND_MS;

/** What a connection shows: the token as its password. */
export interface RedisToken {
  readonly username: string;
  readonly password: string;
}

/**
 * Tokens of Microsoft Entra in the place of a Redis password, the next one in time before one ends.
 * @param username default: the object id that the token is for, as the service wants it
 * @throws what the credential throws when no token can be had
 */
export function openRedisTokens(
  credential: TokenCredential,
  {
    username,
    ...options
  }: Omit<RenewedOptions<RedisToken>, 'name' | 'renew'> & {
    readonly username?: string | undefined;
  },
): Promise<Renewed<RedisToken>> {
  let last: RedisToken | undefined;
  return Renewed.open({
    ...options,
    name: 'redis-token',
    renew: async (abortSignal): Promise<Renewal<RedisToken>> => {
      const token = await credential.getToken(SCOPE, { abortSignal });
      if (!token) throw new Error('no token for Redis was given');
      // The credential gives the one before as long as it deems it good.
      if (token.token !== last?.password)
        last = { username: username ?? objectIdOf(token), password: token.token };
      return { value: last, askAgainInMs: askAgainInMs(token.expiresOnTimestamp - Date.now()) };
    },
  });
}

/** In time; of what lives for minutes only, at half of what is left. */
function askAgainInMs(leftMs: number): number {
  return Math.max(LEAST_MS, leftMs > 2 * BEFORE_END_MS ? leftMs - BEFORE_END_MS : leftMs / 2);
}

function objectIdOf({ token }: AccessToken): string {
  try {
    const claims = JSON.parse(
      Buffer.from(token.split('.')[1] ?? '', 'base64url').toString(),
    ) as Readonly<Record<string, unknown>>;
    if (typeof claims['oid'] === 'string') return claims['oid'];
  } catch {
    // Said below, and nothing of the token.
  }
  throw new Error('the token names no object id: set REDIS_USERNAME');
}
