-- Takes a member out of its consumer group.
--
-- KEYS[1]  the stream
-- ARGV[1]  the group
-- ARGV[2]  the member
-- Returns  1 if it was taken out, 0 if it still has deliveries, which others are to take over first
--
-- Guarantee: no delivery is forgotten.

local stream, group, member = KEYS[1], ARGV[1], ARGV[2]

local pending = redis.pcall('XPENDING', stream, group, '-', '+', 1, member)
-- No such group any more: nothing to leave.
if pending.err then return 1 end
if #pending > 0 then return 0 end
redis.call('XGROUP', 'DELCONSUMER', stream, group, member)
return 1
