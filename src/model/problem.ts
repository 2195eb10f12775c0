/** Why a session could not be understood. The words are shown by `rekindle quarantine` and counted by metrics. */
export type ProblemReason =
  | 'last_activity_missing'
  | 'last_activity_invalid'
  | 'cart_not_json'
  | 'cart_not_array'
  | 'cart_item_invalid'
  | 'cart_too_large'
  | 'field_too_large'
  | 'consent_invalid'
  | 'last_order_at_invalid'
  | 'wrong_key_type'
  | 'user_id_too_long'
  | 'user_id_not_utf8'
  | 'ledger_unreadable';

export interface Problem {
  readonly reason: ProblemReason;
  /** One sentence: what was found, where, and what would be right. Never holds message text. */
  readonly detail: string;
}
