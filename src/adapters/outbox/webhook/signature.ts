import { createHmac } from 'node:crypto';

/**
 * What `Rekindle-Signature` says of a request: `t=<Unix seconds>,v1=<hex of HMAC-SHA256 over t.body>`. The time is signed
 * with the body, so that a receiver can refuse what is old; compare in constant time.
 */
export function signatureOf(secret: string, body: string, at: number): string {
  const seconds = Math.floor(at / 1_000);
  const digest = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
  return `t=${seconds},v1=${digest}`;
}
