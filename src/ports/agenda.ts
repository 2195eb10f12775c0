/** The index of users by the next instant at which they need a look. */
export interface Agenda {
  /**
   * Takes up to `limit` due users under one lease, bringing expired leases back first. A user under a live lease is
   * passed over, and uses up none of the limit.
   */
  claim(now: number, limit: number): Promise<Claim>;

  /**
   * In one step: strikes what was published from the pending events of each user, exactly these ids, and where any went
   * the ledger's version moves on; ends the claim's lease and arms the next look, unless an earlier one is armed already.
   * Of a user whose lease this claim no longer holds, all but the strike is left as it is.
   * @returns how many users were settled
   */
  settle(claim: Claim, next: readonly NextLook[]): Promise<number>;

  /** Arms a look at each user, unless an earlier one is armed already. */
  arm(looks: readonly { readonly user: string; readonly at: number }[]): Promise<void>;

  /** When the user is due and until when it is leased. */
  inspect(
    user: string,
  ): Promise<{ readonly dueAt: number | undefined; readonly leasedUntil: number | undefined }>;

  /** How many users are armed, are due at `now`, and are leased. */
  counts(
    now: number,
  ): Promise<{ readonly armed: number; readonly due: number; readonly leased: number }>;
}

export interface Claim {
  readonly users: readonly string[];
  /** When the lease ends; later than that of any claim before it on the same user, so it identifies the claim. */
  readonly leasedUntil: number;
  /** When the next look is due, as far as is known; undefined: none is armed. */
  readonly nextDueAt: number | undefined;
}

export interface NextLook {
  readonly user: string;
  /** Undefined: not before somebody touches the session. */
  readonly at: number | undefined;
  /** Ids of the user's pending events that are on the bus by now. Default: none. */
  readonly published?: readonly string[];
}
