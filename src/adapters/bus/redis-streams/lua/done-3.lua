-- Settles entries of a group: they took effect.
--
-- KEYS[1]  the stream
-- KEYS[2]  held: sorted set of the group, entry id -> instant (ms) from which anybody may take it
-- KEYS[3]  held:bodies: hash of the group, entry id -> '<attempts so far> <event JSON>'
-- ARGV[1]  the group
-- ARGV[2]  entry id, ARGV[3] entry id …
-- Returns  how many were not settled yet
--
-- Guarantee: the entries are not given to the group again, whoever has them in hand by now: an effect that happened need
-- not happen twice. The other member then finds that the delivery is not its own any more.

local stream, held, bodies, group = KEYS[1], KEYS[2], KEYS[3], ARGV[1]

local settled = redis.call('XACK', stream, group, unpack(ARGV, 2))
if settled < #ARGV - 1 then
  settled = settled + redis.call('ZREM', held, unpack(ARGV, 2))
  redis.call('HDEL', bodies, unpack(ARGV, 2))
end
return settled
