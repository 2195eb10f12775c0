-- Holds an entry until an instant from which anybody may take it: renews a claim, puts off a retry.
--
-- KEYS[1]  the stream
-- KEYS[2]  held: sorted set of the group, entry id -> instant (ms) from which anybody may take it
-- KEYS[3]  held:bodies: hash of the group, entry id -> '<attempts so far> <event JSON>'
-- ARGV[1]  the group
-- ARGV[2]  the member
-- ARGV[3]  entry id
-- ARGV[4]  token of the delivery; '' for a first delivery
-- ARGV[5]  for how many ms to hold it
-- ARGV[6]  attempts so far
-- ARGV[7]  the event's JSON
-- Returns  the new token, or '' if the delivery is not the member's any more; nothing happened then
--
-- Guarantee: the entry leaves the group's pending list only together with its copy here, so it is always in one of the
-- two; from then on it keeps no other entry from being trimmed, however long it is held.

--@include own.include.lua

local stream, held, bodies = KEYS[1], KEYS[2], KEYS[3]
local group, member, id, token = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

if not still_own(stream, held, group, member, id, token) then return '' end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local hold_until = string.format('%.0f', now + tonumber(ARGV[5]))
redis.call('ZADD', held, hold_until, id)
redis.call('HSET', bodies, id, ARGV[6] .. ' ' .. ARGV[7])
redis.call('XACK', stream, group, id)
return hold_until
