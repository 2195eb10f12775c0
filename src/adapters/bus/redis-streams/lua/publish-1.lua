-- Appends events of a batch, as many as leave no consumer group further behind than the cap.
--
-- KEYS[1]  the stream
-- ARGV[1]  cap: how many events a group may leave unsettled, its dead letters among them
-- ARGV[2]  type of the 1st event, ARGV[3] its JSON, ARGV[4] type of the 2nd …
-- Returns  {'published', appended, length of the stream}              all of them
--          {'behind', appended, group, behind, dead letters}   the group that was furthest behind left no room for more
--          {'nobody', appended, length of the stream}          there is no group, and the stream is full
--
-- Guarantee: what is appended is the beginning of the batch, in order. With no group at all, or only one that observes, the
-- length of the stream counts, so that nothing is dropped unread.

--@include behind.include.lua
--@include observers.include.lua

local stream = KEYS[1]
local cap = tonumber(ARGV[1])
local count = (#ARGV - 1) / 2

local worst
local read = false
for _, group in ipairs(groups_of(stream)) do
  if not observes(group.name) then read = true end
  if not worst or group.behind + group.dead > worst.behind + worst.dead then worst = group end
end
local used = worst and worst.behind + worst.dead or 0
local length = read and 0 or redis.call('XLEN', stream)
if length > used then used, worst = length, nil end
local appended = math.max(0, math.min(count, cap - used))

local call, ARGV = redis.call, ARGV
for i = 2, 2 * appended, 2 do
  call('XADD', stream, '*', 'type', ARGV[i], 'event', ARGV[i + 1])
end
if appended == count then return {'published', appended, redis.call('XLEN', stream)} end
if worst then return {'behind', appended, worst.name, worst.behind + appended, worst.dead} end
return {'nobody', appended, used + appended}
