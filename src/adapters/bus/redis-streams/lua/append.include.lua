-- Included by the scripts that append events: publish-1, and the commit of a look whose ledgers share the bus's Redis.
--
-- room_of(stream, cap): how many more events the stream takes, so that no consumer group is left further behind than the
--   cap, its dead letters among them; then the group that is furthest behind, and how many it has used. With no group at
--   all, or only one that observes, the length of the stream counts, so that nothing is dropped unread, and the group is
--   nil.
-- append(stream, type, event): puts one event there, as JSON. Returns why it could not, or nil.

--@include behind.include.lua
--@include observers.include.lua

local function room_of(stream, cap)
  local worst
  local read = false
  for _, group in ipairs(groups_of(stream)) do
    if not observes(group.name) then read = true end
    if not worst or group.behind + group.dead > worst.behind + worst.dead then worst = group end
  end
  local used = worst and worst.behind + worst.dead or 0
  local length = read and 0 or redis.call('XLEN', stream)
  if length > used then used, worst = length, nil end
  return math.max(0, cap - used), worst, used
end

local function append(stream, type, event)
  return redis.pcall('XADD', stream, '*', 'type', type, 'event', event)['err']
end
