-- Deletes sessions that stand in warm, with window and overflow, and writes the ledgers: a batch of users, each under its own
-- conditions.
--
-- KEYS  per user: session, messages, overflow, ledger
-- ARGV  1 largest field that is read, in bytes, 2 messages a page; then per user: digest of the snapshot, version of the
--       ledger that was read, or '', ledger, or '' to leave it
-- Returns one code per user: 1, or 0 if anything has changed since the snapshot: then nothing is done; or the text of an
-- error. Stops early like read.lua.
-- Guarantee: what was said since the snapshot stays; a look that read before finds its ledger changed. The next write
-- finds no session and opens another one.
--@include record.lua

local VERSION = 8

local maxField, page = tonumber(ARGV[1]), tonumber(ARGV[2])
local total = 0
local function sink(n)
  local session, messages, overflow, ledger = unpack(KEYS, 4 * n - 3, 4 * n)
  local digest, version, text = unpack(ARGV, 3 * n, 3 * n + 2)
  local found = record(session, messages, overflow, maxField, page, 0)
  total = total + found.bytes
  if found.digest == '' or found.digest ~= digest then return 0 end
  local stored = call('GET', ledger)
  if (stored and stored:sub(1, VERSION) or '') ~= version then return 0 end
  if text ~= '' then call('SET', ledger, text) end
  call('DEL', session, messages, overflow)
  return 1
end

local codes = {}
for n = 1, #KEYS / 4 do
  local done, code = pcall(sink, n)
  codes[n] = done and code or textOf(code)
  if total >= BYTES_MAX then break end
end
return codes
