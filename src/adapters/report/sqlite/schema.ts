/** What marks a file as the report's: "Rkrp" as a number, in the header of the file. */
export const APPLICATION_ID = 0x52_6b_72_70;

/**
 * One step for each version of the schema, in order; a step that was released is never changed.
 *
 *   secret        the key of all digests, drawn at random by the process that makes the file
 *   announcement  one row a `cart.abandoned`
 *   outcome       one row a `cart.rescue_cancelled`, `cart.touched` or `cart.recovered`; `label` is the reason, the channel
 *                 it was sent on, or the class
 *   erasure       when users were erased, for as long as late events of before may come
 *
 * `id` is a keyed digest of the event's id: a row is its own inbox entry, so that a repeat cannot be counted. `user` is a
 * keyed digest too, and ids of events are derived from users: no text here tells who somebody is. `said_at` is when it was
 * decided, `begun_at` when the episode opened.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE secret (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    key BLOB NOT NULL
  ) STRICT;

  CREATE TABLE announcement (
    id BLOB PRIMARY KEY,
    user BLOB NOT NULL,
    begun_at INTEGER NOT NULL,
    said_at INTEGER NOT NULL,
    stage INTEGER NOT NULL,
    channel TEXT,
    allowed TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX announcement_user ON announcement (user, said_at);
  CREATE INDEX announcement_time ON announcement (said_at);

  CREATE TABLE outcome (
    id BLOB PRIMARY KEY,
    announcement BLOB NOT NULL,
    user BLOB NOT NULL,
    begun_at INTEGER NOT NULL,
    said_at INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    value REAL NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX outcome_announcement ON outcome (announcement, kind);
  CREATE INDEX outcome_user ON outcome (user, kind, at);
  CREATE INDEX outcome_time ON outcome (said_at);

  CREATE TABLE erasure (
    user BLOB PRIMARY KEY,
    erased_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX erasure_time ON erasure (erased_at);
  `,
];
