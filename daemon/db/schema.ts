/**
 * The tables, as version 1 made them; a later version is a step of its own in migrations.ts and this text stays.
 * Times are milliseconds since 1970, sizes bytes. Hashes are lower-case hex.
 */
export const SCHEMA_1 = `
-- AUTOINCREMENT: a number that was shown to somebody never comes to mean another torrent.
CREATE TABLE torrent (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  hash_v1      TEXT UNIQUE CHECK (length(hash_v1) = 40),
  hash_v2      TEXT UNIQUE CHECK (length(hash_v2) = 64),
  name         TEXT    NOT NULL,
  dir          TEXT    NOT NULL,
  volume       TEXT    NOT NULL,
  private      INTEGER NOT NULL CHECK (private IN (0, 1)),
  piece_length INTEGER NOT NULL,
  piece_count  INTEGER NOT NULL,
  total        INTEGER NOT NULL,
  wanted       INTEGER NOT NULL,
  done         INTEGER NOT NULL DEFAULT 0,
  desired      TEXT    NOT NULL,
  checked      INTEGER NOT NULL DEFAULT 0 CHECK (checked IN (0, 1)),
  queue_rank   INTEGER,
  added_at     INTEGER NOT NULL,
  completed_at INTEGER,
  fault        TEXT,
  CHECK (hash_v1 IS NOT NULL OR hash_v2 IS NOT NULL)
) STRICT;

-- The .torrent is rest with info put back in at info_start: the raw span is what the info hash is taken of.
CREATE TABLE metainfo (
  torrent_id INTEGER PRIMARY KEY REFERENCES torrent (id) ON DELETE CASCADE,
  info       BLOB    NOT NULL,
  info_start INTEGER NOT NULL,
  rest       BLOB    NOT NULL
) STRICT;

-- BEP 52, by the root of a file's pieces.
CREATE TABLE piece_layers (
  torrent_id  INTEGER NOT NULL REFERENCES torrent (id) ON DELETE CASCADE,
  pieces_root BLOB    NOT NULL CHECK (length(pieces_root) = 32),
  layer       BLOB    NOT NULL,
  PRIMARY KEY (torrent_id, pieces_root)
) STRICT;

CREATE TABLE have (
  torrent_id INTEGER NOT NULL REFERENCES torrent (id) ON DELETE CASCADE,
  chunk      INTEGER NOT NULL CHECK (chunk >= 0),
  bits       BLOB    NOT NULL CHECK (length(bits) BETWEEN 1 AND 2048),
  PRIMARY KEY (torrent_id, chunk)
) STRICT;

-- mtime_ns and ino are decimal strings: neither fits a double.
CREATE TABLE file_stat (
  torrent_id INTEGER NOT NULL REFERENCES torrent (id) ON DELETE CASCADE,
  idx        INTEGER NOT NULL CHECK (idx >= 0),
  size       INTEGER NOT NULL,
  mtime_ns   TEXT    NOT NULL,
  ino        TEXT    NOT NULL,
  writing    INTEGER NOT NULL CHECK (writing IN (0, 1)),
  PRIMARY KEY (torrent_id, idx)
) STRICT, WITHOUT ROWID;

-- Sparse: a file that is wanted as usual under its own name has no row.
CREATE TABLE file_wish (
  torrent_id INTEGER NOT NULL REFERENCES torrent (id) ON DELETE CASCADE,
  idx        INTEGER NOT NULL CHECK (idx >= 0),
  priority   INTEGER NOT NULL DEFAULT 1,
  path       TEXT,
  PRIMARY KEY (torrent_id, idx)
) STRICT, WITHOUT ROWID;

CREATE TABLE totals (
  torrent_id     INTEGER PRIMARY KEY REFERENCES torrent (id) ON DELETE CASCADE,
  downloaded     INTEGER NOT NULL DEFAULT 0,
  uploaded       INTEGER NOT NULL DEFAULT 0,
  wasted         INTEGER NOT NULL DEFAULT 0,
  downloading_ms INTEGER NOT NULL DEFAULT 0,
  seeding_ms     INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE tracker (
  torrent_id INTEGER NOT NULL REFERENCES torrent (id) ON DELETE CASCADE,
  tier       INTEGER NOT NULL,
  pos        INTEGER NOT NULL,
  url        TEXT    NOT NULL,
  source     TEXT    NOT NULL,
  PRIMARY KEY (torrent_id, tier, pos)
) STRICT, WITHOUT ROWID;

CREATE TABLE job (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  torrent_id INTEGER REFERENCES torrent (id) ON DELETE CASCADE,
  kind       TEXT NOT NULL,
  step       TEXT NOT NULL,
  args       TEXT NOT NULL,
  caller     TEXT NOT NULL
) STRICT;
CREATE INDEX job_torrent ON job (torrent_id);

-- torrent_id refers to nothing: what happened to a torrent outlives it.
CREATE TABLE event (
  seq        INTEGER PRIMARY KEY AUTOINCREMENT,
  at         INTEGER NOT NULL,
  torrent_id INTEGER,
  kind       TEXT    NOT NULL,
  caller     TEXT    NOT NULL,
  data       TEXT    NOT NULL
) STRICT;

CREATE TABLE volume (
  id      TEXT PRIMARY KEY,
  root    TEXT NOT NULL,
  marker  TEXT,
  seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE label (
  torrent_id INTEGER NOT NULL REFERENCES torrent (id) ON DELETE CASCADE,
  name       TEXT    NOT NULL,
  PRIMARY KEY (torrent_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`

/** In what order a torrent's pieces are fetched. */
export const SCHEMA_2 = `
ALTER TABLE torrent ADD COLUMN sequential INTEGER NOT NULL DEFAULT 0 CHECK (sequential IN (0, 1));
ALTER TABLE torrent ADD COLUMN first_last INTEGER NOT NULL DEFAULT 0 CHECK (first_last IN (0, 1));
`

/** When seeding of a torrent ends, its own limits, its given name, and what lies in the trash. */
export const SCHEMA_3 = `
-- When seeding ends: NULL is as the settings say, -1 never. Times in seconds.
ALTER TABLE torrent ADD COLUMN goal_ratio REAL;
ALTER TABLE torrent ADD COLUMN goal_time INTEGER;
ALTER TABLE torrent ADD COLUMN goal_idle INTEGER;
-- The sentence of the goal that paused it.
ALTER TABLE torrent ADD COLUMN reached TEXT;
-- Bytes a second; NULL: only what limits all torrents together.
ALTER TABLE torrent ADD COLUMN down_limit INTEGER;
ALTER TABLE torrent ADD COLUMN up_limit INTEGER;
-- The name that a person gave the file, or the folder of all files; NULL: as it came.
ALTER TABLE torrent ADD COLUMN root TEXT;
-- Removed and not yet gone: the row of the torrent says 'trashed' meanwhile. desired is what it said before; until is
-- when it goes for good; dir is the folder that it was removed from.
CREATE TABLE trash (
  torrent_id INTEGER PRIMARY KEY REFERENCES torrent (id) ON DELETE CASCADE,
  at         INTEGER NOT NULL,
  until      INTEGER NOT NULL,
  data       INTEGER NOT NULL CHECK (data IN (0, 1)),
  dir        TEXT    NOT NULL,
  desired    TEXT    NOT NULL,
  phase      TEXT    NOT NULL CHECK (phase IN ('going', 'there', 'back')),
  caller     TEXT    NOT NULL
) STRICT;
`
