-- Reads session, opt-out, ledger and pending events of a batch of users, for a look.
--
-- KEYS  per user: session, optout, ledger, pending
-- ARGV  1 largest cart that is read, in bytes; 2.. names of the fields to read
-- Returns one row per user: {fault, exists, pttl, optedOutAt, digest, ledger or an error, {id, event, ...}, values...}
-- Guarantee: each row is one moment of that user. Stops early, with fewer rows than users, once it has read so much
-- that a longer run would hold others up; the caller asks again for the rest.
--@include sight.lua

-- 512 KiB took 2.5 ms with hashing on the machine of docs/performance.md; a usual batch reads 150 KiB.
local BYTES_MAX = 524288

local maxCart = tonumber(ARGV[1])
local names = {}
for i = 2, #ARGV do names[#names + 1] = ARGV[i] end

local rows = {}
local total = 0
for i = 1, #KEYS, 4 do
  local fault, exists, values, optedOutAt, digest, bytes = sight(KEYS[i], KEYS[i + 1], maxCart, names)
  local ledger = redis.pcall('GET', KEYS[i + 2])
  if type(ledger) == 'table' then ledger = 'wrong type' end
  local pending = redis.pcall('HGETALL', KEYS[i + 3])
  if pending.err then pending = {} end
  rows[#rows + 1] = {
    fault, exists, redis.call('PTTL', KEYS[i]), optedOutAt, digest, ledger, pending, unpack(values, 1, #names),
  }
  total = total + bytes
  if total > BYTES_MAX then break end
end
return rows
