-- Removes what the hot tier holds of a user, or counts it.
--
-- KEYS  1 session, 2 messages, 3 overflow, 4 ledger, 5 agenda, 6 leased, 7 quarantine (by time), 8 quarantine (details),
--       9 optouts, 10 opt-outs of the erased, 11 the key of their names
-- ARGV  1 user, 2 'remove' or 'count', 3 a random key, should there be none yet
-- Returns what was found, in the order of the keys 1 to 9 (quarantine once), then the number of pending events.
-- Guarantee: all of it or nothing. An opt-out stays, under a keyed hash of the user's name: see read.lua.

local call = redis.call
local session, messages, overflow, ledger, agenda, leased, quarantine, details, optouts, unnamed, pepper = unpack(KEYS)
local user, remove = ARGV[1], ARGV[2] == 'remove'

-- Under a key that ends so may also be the session of another user.
local kind = call('TYPE', messages).ok
local isMessages = kind == 'list' or kind == 'string'
local said = kind == 'list' and call('LLEN', messages) or isMessages and 1 or 0
local waiting = call('TYPE', overflow).ok == 'list' and call('LLEN', overflow) or call('EXISTS', overflow)
local text = redis.pcall('GET', ledger)
local pending = 0
if type(text) == 'string' then pending = select(2, text:gsub('\n', '\n')) end
local found = {
  call('EXISTS', session),
  said,
  waiting,
  call('EXISTS', ledger),
  call('ZSCORE', agenda, user) and 1 or 0,
  call('ZSCORE', leased, user) and 1 or 0,
  call('HEXISTS', details, user),
  call('HEXISTS', optouts, user),
  pending,
}
if not remove then return found end

call('DEL', session, overflow, ledger)
if isMessages then call('DEL', messages) end
call('ZREM', agenda, user)
call('ZREM', leased, user)
call('ZREM', quarantine, user)
call('HDEL', details, user)
local optedOutAt = call('HGET', optouts, user)
if optedOutAt then
  call('SET', pepper, ARGV[3], 'NX')
  local key = call('GET', pepper)
  call('HSET', unnamed, redis.sha1hex(key .. redis.sha1hex(key .. user)), optedOutAt)
  call('HDEL', optouts, user)
end
return found
