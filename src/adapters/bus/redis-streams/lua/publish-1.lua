-- Appends a batch of events, unless a consumer group would then be further behind than the cap.
--
-- KEYS[1]  the stream
-- ARGV[1]  cap: how many events a group may leave unsettled, its dead letters among them
-- ARGV[2]  type of the 1st event, ARGV[3] its JSON, ARGV[4] type of the 2nd …
-- Returns  {'published', length of the stream}
--          {'behind', group, behind, dead letters}   of the group that is furthest behind
--          {'nobody', length of the stream}          there is no group, and the stream is full
--
-- Guarantee: all of the batch is appended, in order, or nothing. With no group at all the length of the stream counts,
-- so that nothing is dropped unread.

--@include behind.include.lua

local stream = KEYS[1]
local cap = tonumber(ARGV[1])
local count = (#ARGV - 1) / 2

local worst
for _, group in ipairs(groups_of(stream)) do
  if not worst or group.behind + group.dead > worst.behind + worst.dead then worst = group end
end
if worst and worst.behind + worst.dead + count > cap then
  return {'behind', worst.name, worst.behind, worst.dead}
end
if not worst then
  local length = redis.call('XLEN', stream)
  if length + count > cap then return {'nobody', length} end
end

for i = 2, #ARGV, 2 do
  redis.call('XADD', stream, '*', 'type', ARGV[i], 'event', ARGV[i + 1])
end
return {'published', redis.call('XLEN', stream)}
