-- Removes what the hot tier holds of a session, with its owner's opt-out, and leaves a tombstone, or counts it.
--
-- KEYS  1 session, 2 messages, 3 overflow, 4 ledger, 5 agenda, 6 leased, 7 quarantine (by time), 8 quarantine (details),
--       9 optouts, 10 opt-outs of the erased, 11 the key of their names, 12 tombstones, 13 inbox, see inbox-record.lua,
--       14 when rescue messages went to the owner
-- ARGV  1 user, 2 instant of the erasure in ms, or '' to count, 3 a random key, should there be none yet, 4 owner of the
--       session, 5 subject of its events
-- Returns what was found, in the order of the keys 1 to 9 (quarantine once), then the number of pending events, and what the
-- keys 13 and 14 hold.
-- Guarantee: all of it or nothing, and in one moment with the tombstone: what stands beside one has come since. An
-- opt-out stays, under a keyed hash of the owner's name: see read.lua.

local call = redis.call
local session, messages, overflow, ledger, agenda, leased, quarantine, details, optouts, unnamed, pepper, tombstones, inbox, contacted = unpack(KEYS)
local user, erasedAt, owner, subject = ARGV[1], ARGV[2], ARGV[4], ARGV[5]

-- Under a key that ends so may be a session, or the messages of another.
local function isMessagesType(key)
  local kind = call('TYPE', key).ok
  return kind == 'list' or kind == 'string', kind
end
local isMessages, kind = isMessagesType(messages)
local isSession = session:sub(-9) ~= ':messages' or not isMessagesType(session)
local said = kind == 'list' and call('LLEN', messages) or isMessages and 1 or 0
local waiting = call('TYPE', overflow).ok == 'list' and call('LLEN', overflow) or call('EXISTS', overflow)
local text = redis.pcall('GET', ledger)
local pending = 0
if type(text) == 'string' then pending = select(2, text:gsub('\n', '\n')) end
local known = 0
local periods = call('SMEMBERS', inbox)
for _, period in ipairs(periods) do known = known + call('HEXISTS', inbox .. ':' .. period, subject) end
local found = {
  isSession and call('EXISTS', session) or 0,
  said,
  waiting,
  call('EXISTS', ledger),
  call('ZSCORE', agenda, user) and 1 or 0,
  call('ZSCORE', leased, user) and 1 or 0,
  call('HEXISTS', details, user),
  call('HEXISTS', optouts, owner),
  pending,
  known + call('EXISTS', contacted),
}
if erasedAt == '' then return found end

call('ZADD', tombstones, 'GT', erasedAt, owner)
call('DEL', overflow, ledger, contacted)
for _, period in ipairs(periods) do call('HDEL', inbox .. ':' .. period, subject) end
if isSession then call('DEL', session) end
if isMessages then call('DEL', messages) end
call('ZREM', agenda, user)
call('ZREM', leased, user)
call('ZREM', quarantine, user)
call('HDEL', details, user)
local optedOutAt = call('HGET', optouts, owner)
if optedOutAt then
  call('SET', pepper, ARGV[3], 'NX')
  local key = call('GET', pepper)
  call('HSET', unnamed, redis.sha1hex(key .. redis.sha1hex(key .. owner)), optedOutAt)
  call('HDEL', optouts, owner)
end
return found
