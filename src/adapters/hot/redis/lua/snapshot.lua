-- Reads all there is of each of a batch of users.
--
-- KEYS  1 tombstones; then per user: session, messages, overflow, ledger
-- ARGV  1 largest field that is read, in bytes, 2 messages a page; then per user: owner of the session, where the page of
--       the window begins
-- Returns one row per user: {pttl of the session (-2: none), fields, left out, overflow, window, what follows, digest,
-- digest of the overflow's page, instant of erasure or false, ledger or false}; see record.lua. Or, of a user who could not
-- be read, the error's text.
-- Guarantee: each row is one moment of that user. Stops early like read.lua.
--@include record.lua

local maxField, page = tonumber(ARGV[1]), tonumber(ARGV[2])
local count = (#ARGV - 2) / 2
local owners, ledgers = {}, {}
for n = 1, count do
  owners[n] = ARGV[2 * n + 1]
  ledgers[n] = KEYS[4 * n + 1]
end
local erasedAt = call('ZMSCORE', KEYS[1], unpack(owners))
local stored = call('MGET', unpack(ledgers))

local total = 0
local function snapshot(n)
  local session, messages, overflow = unpack(KEYS, 4 * n - 2, 4 * n)
  local found = record(session, messages, overflow, maxField, page, tonumber(ARGV[2 * n + 2]))
  total = total + found.bytes
  local ledger = stored[n]
  -- MGET passes over what is no text: then it is no ledger of ours.
  if not ledger and call('EXISTS', ledgers[n]) == 1 then ledger = '' end
  return {
    call('PTTL', session),
    found.fields,
    found.leftOut,
    found.overflow,
    found.window,
    found.following,
    found.digest,
    found.head,
    erasedAt[n],
    ledger,
  }
end

local rows = {}
for n = 1, count do
  local done, row = pcall(snapshot, n)
  rows[n] = done and row or textOf(row)
  if total >= BYTES_MAX then break end
end
return rows
