-- Deletes a session that stands in warm, with its window and overflow, and writes the ledger.
--
-- KEYS  1 session, 2 messages, 3 overflow, 4 ledger
-- ARGV  1 largest field that is read, in bytes, 2 messages a page, 3 digest of the snapshot, 4 version of the ledger
--       that was read, or '', 5 ledger, or '' to leave it
-- Returns 1, or 0 if anything has changed since the snapshot: then nothing is done.
-- Guarantee: what was said since the snapshot stays; a look that read before finds its ledger changed. The next write
-- finds no session and opens another one.
--@include record.lua

local VERSION = 8

local found = record(KEYS[1], KEYS[2], KEYS[3], tonumber(ARGV[1]), tonumber(ARGV[2]), 0)
if found.digest == '' or found.digest ~= ARGV[3] then return 0 end
local ledger = call('GET', KEYS[4])
if (ledger and ledger:sub(1, VERSION) or '') ~= ARGV[4] then return 0 end
if ARGV[5] ~= '' then call('SET', KEYS[4], ARGV[5]) end
call('DEL', KEYS[1], KEYS[2], KEYS[3])
return 1
