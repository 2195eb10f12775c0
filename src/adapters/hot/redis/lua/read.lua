-- Reads session, opt-out and ledger of a batch of users, for a look.
--
-- KEYS  1 optouts, 2 opt-outs of the erased, 3 the key of their names; then per user: session, ledger, overflow
-- ARGV  1 largest cart that is read, in bytes; 2 longest digest that is given as it is; 3 1 to leave out what only a look
--       needs (the length of the overflow is 0 then, and pttl -1 or -2), else 0; 4 number n of fields, then n names, see sight.lua; then per user: owner of the session
--       Where KEYS go on after the users, they are, per user, when rescue messages went to the owner: see note.lua
-- Returns one row per user: {pttl (-2: no session), length of the overflow, fault, digest, ledger, the other values in one
-- text like the digest}, or, where the digest is too long, {pttl, length, fault, '#' and the SHA-1 of the digest, ledger,
-- optedOutAt, all values...}, for each element of an answer costs either side more than its bytes
-- With the texts of those further keys as one more row at the end.
-- Guarantee: each row is one moment of that user. Stops early, with fewer rows than users, once it has read so much
-- that a longer run would hold others up; the caller asks again for the rest. One who opted out, was erased and is back
-- has opted out.
--@include sight.lua

-- 540 KB in nine carts took 2.7 ms with hashing on the machine of docs/performance.md.
local BYTES_MAX = 524288
local NO_KEY = -2

local KEYS, ARGV = KEYS, ARGV
local maxCart, digestMax, names = tonumber(ARGV[1]), tonumber(ARGV[2]), {}
local brief = ARGV[3] == '1'
local fields = tonumber(ARGV[4])
for i = 1, fields do names[i] = ARGV[4 + i] end

local ledgers, lastOfUsers = {}, 3 + 3 * (#ARGV - 4 - fields)
for i = 5, lastOfUsers, 3 do ledgers[#ledgers + 1] = KEYS[i] end
local stored = call('MGET', unpack(ledgers))
local optouts = call('HMGET', KEYS[1], unpack(ARGV, 5 + fields))

-- Few opt out and are erased: where nobody was, it is one command a batch.
local erasedOptOuts = call('EXISTS', KEYS[2]) == 1 and call('GET', KEYS[3])
local function takeBack(user)
  local name = redis.sha1hex(erasedOptOuts .. redis.sha1hex(erasedOptOuts .. user))
  local optedOutAt = call('HGET', KEYS[2], name)
  if optedOutAt then
    call('HSET', KEYS[1], user, optedOutAt)
    call('HDEL', KEYS[2], name)
  end
  return optedOutAt
end

-- Where all have one, or none, one command says so.
local sessions, overflows = {}, {}
for i = 4, lastOfUsers, 3 do
  sessions[#sessions + 1] = KEYS[i]
  overflows[#overflows + 1] = KEYS[i + 2]
end
local noneWaits = brief or call('EXISTS', unpack(overflows)) == 0
local allLive = brief and call('EXISTS', unpack(sessions)) == #sessions
local function timeToLive(session)
  if not brief then return call('PTTL', session) end
  return (allLive or call('EXISTS', session) == 1) and -1 or NO_KEY
end

local rows, total = {}, 0
for n = 1, #ledgers do
  local session, text, optedOutAt = KEYS[3 * n + 1], stored[n], optouts[n]
  local pttl = timeToLive(session)
  if erasedOptOuts and not optedOutAt and not text and pttl ~= NO_KEY then
    optedOutAt = takeBack(ARGV[4 + fields + n])
  end
  local fault, values, digest = sight(session, optedOutAt, names, maxCart, true)
  -- MGET passes over what is no text: then it is no ledger of ours.
  if not text and call('EXISTS', ledgers[n]) == 1 then text = '' end
  local waiting = not noneWaits and pcall('LLEN', KEYS[3 * n + 3])
  local length = type(waiting) == 'number' and waiting or 0
  local size = #digest
  if size > digestMax then
    rows[n] = { pttl, length, fault, '#' .. redis.sha1hex(digest), text, optedOutAt, unpack(values, 1, fields) }
  else
    -- With a zero byte in a value the caller asks for the values apart.
    for i = 6, fields do values[i] = values[i] == MISSING and '\0' or values[i] or MISSING end
    rows[n] = { pttl, length, fault, digest, text, table.concat(values, '\0', 6, fields) }
  end
  total = total + size
  if total > BYTES_MAX then break end
end
if #KEYS > lastOfUsers then rows[#rows + 1] = call('MGET', unpack(KEYS, lastOfUsers + 1)) end
return rows
