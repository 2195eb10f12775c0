-- Reads session, opt-out and ledger of a batch of users, for a look.
--
-- KEYS  1 optouts; then per user: session, ledger
-- ARGV  1 largest cart that is read, in bytes; 2 longest digest that is given as it is; 3 number n of fields, then n names,
--       see sight.lua; then per user: user
-- Returns one row per user: {pttl (-2: no session), fault, digest, ledger, the other values in one text like the digest},
-- or, where the digest is too long, {pttl, fault, '#' and the SHA-1 of the digest, ledger, optedOutAt, all values...},
-- for each element of an answer costs either side more than its bytes
-- Guarantee: each row is one moment of that user. Stops early, with fewer rows than users, once it has read so much
-- that a longer run would hold others up; the caller asks again for the rest.
--@include sight.lua

-- 540 KB in nine carts took 2.7 ms with hashing on the machine of docs/performance.md.
local BYTES_MAX = 524288

local KEYS, ARGV = KEYS, ARGV
local maxCart, digestMax, names = tonumber(ARGV[1]), tonumber(ARGV[2]), {}
local fields = tonumber(ARGV[3])
for i = 1, fields do names[i] = ARGV[3 + i] end

local ledgers = {}
for i = 3, #KEYS, 2 do ledgers[#ledgers + 1] = KEYS[i] end
local stored = call('MGET', unpack(ledgers))
local optouts = call('HMGET', KEYS[1], unpack(ARGV, 4 + fields))

local rows, total = {}, 0
for n = 1, #ledgers do
  local session, text, optedOutAt = KEYS[2 * n], stored[n], optouts[n]
  local fault, values, digest = sight(session, optedOutAt, names, maxCart, true)
  -- MGET passes over what is no text: then it is no ledger of ours.
  if not text and call('EXISTS', ledgers[n]) == 1 then text = '' end
  local pttl, size = call('PTTL', session), #digest
  if size > digestMax then
    rows[n] = { pttl, fault, '#' .. redis.sha1hex(digest), text, optedOutAt, unpack(values, 1, fields) }
  else
    for i = 6, fields do values[i] = values[i] or '\1' end
    rows[n] = { pttl, fault, digest, text, table.concat(values, '\0', 6, fields) }
  end
  total = total + size
  if total > BYTES_MAX then break end
end
return rows
