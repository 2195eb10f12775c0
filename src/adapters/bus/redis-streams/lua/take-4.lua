-- Gives a member deliveries that nobody has in hand any more: those that were to be given again and have come due, and
-- those whose member has not been heard of for the claim time.
--
-- KEYS[1]  the stream
-- KEYS[2]  held: sorted set of the group, entry id -> instant (ms) from which anybody may take it
-- KEYS[3]  held:bodies: hash of the group, entry id -> '<attempts so far> <event JSON>'
-- KEYS[4]  dead: stream of the group's dead letters
-- ARGV[1]  the group
-- ARGV[2]  claim time in ms
-- ARGV[3]  how many deliveries an event may have
-- ARGV[4]  how many to take at most
-- Returns  {now, instant at which the next one held comes due or -1, how many were put aside,
--           id, attempt, token, event JSON, id, …}
--          The token is the instant until which the delivery is the member's. It identifies this delivery: every later
--          one of the same entry has a later instant.
--
-- Guarantee: each entry is given to one member, counted, and is the member's for the claim time. An entry that has had
-- its deliveries goes to the dead letters instead. A member that dies changes nothing: its instant passes.
--
-- Time is the server's (TIME), for that is the clock by which Redis measures how long a delivery is idle.

local stream, held, bodies, dead = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local group, claim_ms, max_deliveries, limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local pending = redis.pcall('XPENDING', stream, group, '-', '+', limit + 100)
-- NOGROUP: the member is to create it again before anything is given out.
if pending.err then return pending end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local reply = {now, -1, 0}
local taken = 0

local function put_aside(id, event, attempts, reason)
  redis.call('XADD', dead, '*', 'event', event, 'reason', reason, 'attempts', attempts, 'entry', id)
  reply[3] = reply[3] + 1
end

local function give(id, event, attempts)
  local token = string.format('%.0f', now + claim_ms)
  redis.call('ZADD', held, token, id)
  redis.call('HSET', bodies, id, string.format('%.0f ', attempts) .. event)
  reply[#reply + 1] = id
  reply[#reply + 1] = attempts
  reply[#reply + 1] = token
  reply[#reply + 1] = event
end

local function give_or_put_aside(id, event, attempts_before)
  taken = taken + 1
  if attempts_before < max_deliveries then
    give(id, event, attempts_before + 1)
    return true
  end
  put_aside(id, event, attempts_before, 'delivered ' .. attempts_before .. ' times and never settled')
  return false
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', held, '-inf', now, 'LIMIT', 0, limit)) do
  local attempts, event = string.match(redis.call('HGET', bodies, id) or '', '^(%d+) (.*)$')
  if not event or not give_or_put_aside(id, event, tonumber(attempts)) then
    redis.call('ZREM', held, id)
    redis.call('HDEL', bodies, id)
  end
end

-- First deliveries are in the order in which they were made, so the idle ones are at the head. Looking a little further
-- than needed passes over those that a foreign member keeps for itself (XCLAIM). The filter IDLE would walk through all.
for _, delivery in ipairs(pending) do
  if taken == limit then break end
  local id, idle, attempts = delivery[1], delivery[3], delivery[4]
  if idle >= claim_ms then
    local entry = redis.call('XRANGE', stream, id, id)[1]
    -- An entry that is no more was deleted by somebody else: nothing is left to deliver.
    if entry then
      local event
      for j = 1, #entry[2], 2 do
        if entry[2][j] == 'event' then event = entry[2][j + 1] end
      end
      if event then
        give_or_put_aside(id, event, attempts)
      else
        taken = taken + 1
        put_aside(id, table.concat(entry[2], ' '), attempts, 'the entry has no field event')
      end
    end
    redis.call('XACK', stream, group, id)
  end
end

local next_held = redis.call('ZRANGE', held, 0, 0, 'WITHSCORES')
if next_held[2] then reply[2] = tonumber(next_held[2]) end
return reply
