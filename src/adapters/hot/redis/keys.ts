import { SessionNames } from '../../../model/session-names.ts';

/**
 * Names of keys: the sessions' by the template that all programs share, ours below the prefix. A `user` is a session's
 * reference here as everywhere in this folder; see session-names.ts.
 */
export class Keys {
  readonly names: SessionNames;
  readonly #before: string;
  readonly #after: string;
  readonly #prefix: string;

  /** @param template the session key, see `SessionNames` */
  constructor(template: string, prefix: string) {
    this.names = new SessionNames(template);
    this.#before = this.names.before;
    this.#after = this.names.after;
    this.#prefix = prefix;
  }

  session(user: string): string {
    return `${this.#before}${user}${this.#after}`;
  }

  messages(user: string): string {
    return `${this.session(user)}${MESSAGES}`;
  }

  overflow(user: string): string {
    return `${this.#prefix}:overflow:${user}`;
  }

  ledger(user: string): string {
    return `${this.#prefix}:ledger:${user}`;
  }

  /** The names of the hashes, below this key, of what subscribers know of events by their subject. */
  get inbox(): string {
    return `${this.#prefix}:inbox`;
  }

  /** When rescue messages went to a user lately. */
  contacted(owner: string): string {
    return `${this.#prefix}:contacted:${owner}`;
  }

  /** One shard: a single server gains nothing by more. */
  get agenda(): string {
    return `${this.#prefix}:agenda:0`;
  }

  get leased(): string {
    return `${this.#prefix}:leased:0`;
  }

  /** When each user opted out. */
  get optouts(): string {
    return `${this.#prefix}:optouts`;
  }

  /** When each user was erased. */
  get tombstones(): string {
    return `${this.#prefix}:tombstones`;
  }

  /** When those opted out who were erased, by a keyed hash of their names. */
  get erasedOptouts(): string {
    return `${this.#prefix}:erased:optouts`;
  }

  /** The key of those hashes. */
  get pepper(): string {
    return `${this.#prefix}:erased:pepper`;
  }

  get quarantine(): string {
    return `${this.#prefix}:quarantine`;
  }

  get quarantineDetails(): string {
    return `${this.#prefix}:quarantine:details`;
  }

  get sentinel(): string {
    return `${this.#prefix}:sentinel`;
  }

  /** The last fencing token. */
  get fence(): string {
    return `${this.#prefix}:fence`;
  }

  lease(name: string): string {
    return `${this.#prefix}:lease:${name}`;
  }

  /** Glob pattern of the sessions' keys. */
  get sessionPattern(): string {
    const { before, between, after } = this.names;
    const ids = between === undefined ? '*' : `*${escapeGlob(between)}*`;
    return `${escapeGlob(before)}${ids}${escapeGlob(after)}`;
  }

  /** Glob pattern of all that may be named by a session of this user. */
  ownerPattern(user: string): string {
    return `*${escapeGlob(user)}*`;
  }

  /** Glob pattern of the keys of ledgers and overflows, and of a few others of ours. */
  get recordPattern(): string {
    return `${escapeGlob(this.#prefix)}:[lo]*:*`;
  }

  /** The user in the key of a ledger or an overflow; undefined for another key. */
  recordUser(key: string): string | undefined {
    const before = [this.ledger(''), this.overflow('')].find((start) => key.startsWith(start));
    return before && key.slice(before.length);
  }

  /** The text in the placeholders' place, or undefined for a key of another kind. */
  sessionUser(key: string): string | undefined {
    const long = this.#before.length + this.#after.length;
    if (key.length < long || !key.startsWith(this.#before) || !key.endsWith(this.#after))
      return undefined;
    if (key.startsWith(`${this.#prefix}:`)) return undefined;
    const user = key.slice(this.#before.length, key.length - this.#after.length);
    return user.includes(this.names.between ?? '') ? user : undefined;
  }

  /** As `sessionUser`, for a session's key that may be no text. */
  sessionUserBytes(key: Buffer): Buffer {
    return key.subarray(
      Buffer.byteLength(this.#before),
      key.length - Buffer.byteLength(this.#after),
    );
  }

  /** Whom a change of `key` may be a touch of, by the change's name in keyspace notifications. */
  usersTouched(key: string, event: string): string[] {
    const owner = event.startsWith('h') ? undefined : this.messagesUser(key);
    const user = owner === undefined || OF_ANY_TYPE.has(event) ? this.sessionUser(key) : undefined;
    return [owner, user].filter((one) => one !== undefined);
  }

  /**
   * The user whose messages a key may be. A key that ends so is also the session of a user whose id ends so; the type
   * of the key tells them apart, see `isMessagesType`.
   */
  messagesUser(key: string): string | undefined {
    return key.endsWith(MESSAGES) ? this.sessionUser(key.slice(0, -MESSAGES.length)) : undefined;
  }
}

const MESSAGES = ':messages';

/** Changes whose name does not tell the type of the key: where it may be two users', it is a touch of both. */
const OF_ANY_TYPE: ReadonlySet<string> = new Set([
  'del',
  'expire',
  'persist',
  'rename_from',
  'rename_to',
  'copy_to',
  'restore',
  'move_from',
  'move_to',
]);

/** Messages are a list, or one text. Anything else under such a key is the session of a user whose id ends so. */
export function isMessagesType(type: string): boolean {
  return type === 'list' || type === 'string';
}

function escapeGlob(text: string): string {
  return text.replace(/[\\*?[\]]/g, '\\$&');
}
