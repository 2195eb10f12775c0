-- Puts an entry aside for a person to see.
--
-- KEYS[1]  the stream
-- KEYS[2]  held: sorted set of the group, entry id -> instant (ms) from which anybody may take it
-- KEYS[3]  held:bodies: hash of the group, entry id -> '<attempts so far> <event JSON>'
-- KEYS[4]  dead: stream of the group's dead letters: event, reason, attempts, entry
-- ARGV[1]  the group
-- ARGV[2]  the member
-- ARGV[3]  entry id
-- ARGV[4]  token of the delivery; '' for a first delivery
-- ARGV[5]  the event's JSON, or whatever was found in its place
-- ARGV[6]  reason
-- ARGV[7]  attempts
-- Returns  1, or 0 if the delivery is not the member's any more; nothing happened then
--
-- Guarantee: the entry is settled for the group only together with its dead letter.

--@include own.include.lua

local stream, held, bodies, dead = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local group, member, id, token = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

if not still_own(stream, held, group, member, id, token) then return 0 end

redis.call('XADD', dead, '*', 'event', ARGV[5], 'reason', ARGV[6], 'attempts', ARGV[7], 'entry', id)
redis.call('ZREM', held, id)
redis.call('HDEL', bodies, id)
redis.call('XACK', stream, group, id)
return 1
