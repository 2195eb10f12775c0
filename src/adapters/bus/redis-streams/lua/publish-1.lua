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

--@include append.include.lua

local stream = KEYS[1]
local cap = tonumber(ARGV[1])
local count = (#ARGV - 1) / 2

local room, worst, used = room_of(stream, cap)
local appended = math.min(count, room)

local ARGV = ARGV
for i = 2, 2 * appended, 2 do
  local failure = append(stream, ARGV[i], ARGV[i + 1])
  if failure then return redis.error_reply(failure) end
end
if appended == count then return {'published', appended, redis.call('XLEN', stream)} end
if worst then return {'behind', appended, worst.name, worst.behind + appended, worst.dead} end
return {'nobody', appended, used + appended}
