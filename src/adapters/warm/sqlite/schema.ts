/** What marks a file as ours: "Rkdl" as a number, in the header of the file. */
export const APPLICATION_ID = 0x52_6b_64_6c;

/**
 * One step for each version of the schema, in order; a step that was released is never changed. `version` is the number
 * of steps that a file has gone.
 *
 *   entry      one row an entry; its rowid is its version, for a write makes a new row and AUTOINCREMENT never repeats
 *   attribute  one row an attribute, so that each can be searched for by value and range
 *   entry_text the words of the content; contentless, for the text stands in `entry`. The owner is a word of its own, so
 *              that a search goes through the owner's rows and not through everybody's
 *   tombstone  owners that were erased, by a digest of their id; `unfinished` is the id itself for as long as entries are
 *              left, so that an erasure that was cut short is known, and can be ended by whoever comes by
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE entry (
    version INTEGER PRIMARY KEY AUTOINCREMENT,
    owner TEXT NOT NULL,
    id TEXT NOT NULL,
    timestamp INTEGER NOT NULL,
    importance REAL NOT NULL,
    step INTEGER,
    type TEXT,
    content TEXT NOT NULL,
    payload TEXT,
    attributes TEXT NOT NULL,
    sources TEXT NOT NULL,
    embedding BLOB,
    retrievals INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    accessed_at INTEGER NOT NULL,
    expires_at INTEGER
  ) STRICT;
  CREATE UNIQUE INDEX entry_id ON entry (owner, id);
  CREATE INDEX entry_time ON entry (owner, timestamp, id);
  CREATE INDEX entry_importance ON entry (owner, importance, id);
  CREATE INDEX entry_step ON entry (owner, step, id) WHERE step IS NOT NULL;
  CREATE INDEX entry_type ON entry (owner, type, timestamp, id) WHERE type IS NOT NULL;
  CREATE INDEX entry_age ON entry (timestamp, owner, id);
  CREATE INDEX entry_expiry ON entry (expires_at) WHERE expires_at IS NOT NULL;

  CREATE TABLE attribute (
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    value ANY NOT NULL,
    entry INTEGER NOT NULL,
    PRIMARY KEY (owner, name, kind, value, entry)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX attribute_entry ON attribute (entry);

  CREATE VIRTUAL TABLE entry_text USING fts5 (
    owner, content,
    content = '', contentless_delete = 1,
    tokenize = "porter unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'"
  );

  CREATE TABLE tombstone (
    owner TEXT PRIMARY KEY,
    erased_at INTEGER NOT NULL,
    forget_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tombstone_end ON tombstone (forget_at);
  `,
  // With what expires in it, the index by time alone tells which entries are there: to count 10,000 took 39 ms, and takes
  // 2. The text index drops removed words when it is told to: see text-index.ts.
  `
  ALTER TABLE tombstone ADD COLUMN unfinished TEXT;
  CREATE UNIQUE INDEX tombstone_unfinished ON tombstone (unfinished) WHERE unfinished IS NOT NULL;
  DROP INDEX entry_time;
  CREATE INDEX entry_time ON entry (owner, timestamp, id, expires_at);
  INSERT INTO entry_text (entry_text, rank) VALUES ('deletemerge', 0);
  `,
  // What ages is asked for by kind: of compacted conversations their headers stay.
  `
  DROP INDEX entry_age;
  CREATE INDEX entry_age ON entry (type, timestamp, owner, id) WHERE type IS NOT NULL;
  `,
];
