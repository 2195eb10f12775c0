/** What a visitor can do in an event file. All of it is activity. */
export type ShopEventKind =
  | 'view'
  | 'fav'
  | 'addtocart'
  | 'removefromcart'
  | 'purchase'
  | 'message';

/** One row of an event file. */
export interface ShopEvent {
  /** Unix milliseconds. */
  readonly at: number;
  /** Opaque. */
  readonly user: string;
  readonly kind: ShopEventKind;
  /** Present on everything that happens to the cart. */
  readonly item?: string | undefined;
  /** Per unit. */
  readonly price?: number | undefined;
}

/** Events in whatever order, some thousand at a time. */
export type EventBatches = AsyncIterable<readonly ShopEvent[]> | Iterable<readonly ShopEvent[]>;
