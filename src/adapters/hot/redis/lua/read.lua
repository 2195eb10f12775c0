-- Reads session, opt-out and ledger of a batch of users, for a look.
--
-- KEYS  1 optouts; then per user: session, ledger
-- ARGV  1 largest cart that is read, in bytes; 2 longest digest that is given as it is; 3 number n of fields, then n names,
--       see sight.lua; then per user: user
-- Returns one row per user: {fault, pttl (-2: no session), optedOutAt, digest, ledger, values...}, without the values
-- that are missing at its end
-- Guarantee: each row is one moment of that user. Stops early, with fewer rows than users, once it has read so much
-- that a longer run would hold others up; the caller asks again for the rest.
--@include sight.lua

-- 540 KB in nine carts took 2.7 ms with hashing on the machine of docs/performance.md.
local BYTES_MAX = 524288

local maxCart, digestMax, names = tonumber(ARGV[1]), tonumber(ARGV[2]), {}
local fields = tonumber(ARGV[3])
for i = 1, fields do names[i] = ARGV[3 + i] end

local ledgers = {}
for i = 3, #KEYS, 2 do ledgers[#ledgers + 1] = KEYS[i] end
local stored = redis.call('MGET', unpack(ledgers))
local optouts = redis.call('HMGET', KEYS[1], unpack(ARGV, 4 + fields))

local rows, total = {}, 0
for n, ledger in ipairs(ledgers) do
  local session, text = KEYS[2 * n], stored[n]
  local fault, values, digest, bytes = sight(session, optouts[n], names, maxCart, true)
  if #digest > digestMax then digest = '#' .. redis.sha1hex(digest) end
  -- MGET passes over what is no text: then it is no ledger of ours.
  if not text and redis.call('EXISTS', ledger) == 1 then text = '' end
  local last = #values
  while last > 0 and not values[last] do last = last - 1 end
  rows[n] = { fault, redis.call('PTTL', session), optouts[n], digest, text, unpack(values, 1, last) }
  total = total + bytes
  if total > BYTES_MAX then break end
end
return rows
