-- Reads all there is of a user, as one moment.
--
-- KEYS  1 session, 2 messages, 3 overflow, 4 ledger, 5 tombstones
-- ARGV  1 owner of the session, 2 largest field that is read, in bytes, 3 messages a page, 4 where the page of the window begins
-- Returns {pttl of the session (-2: none), fields, left out, overflow, window, what follows, digest, digest of the
-- overflow's page, instant of erasure or false, ledger or false}; see record.lua.
--@include record.lua

local found = record(KEYS[1], KEYS[2], KEYS[3], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]))
local ledger = redis.pcall('GET', KEYS[4])
if type(ledger) == 'table' then ledger = '' end
return {
  call('PTTL', KEYS[1]),
  found.fields,
  found.leftOut,
  found.overflow,
  found.window,
  found.following,
  found.digest,
  found.head,
  call('ZSCORE', KEYS[5], ARGV[1]),
  ledger,
}
