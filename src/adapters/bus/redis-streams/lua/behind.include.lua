-- Included by the scripts that need to know how far each group is behind: publish-1, groups-1.
--
-- groups_of(stream): one table per consumer group, {name, behind, dead, pending, delivered}
--   behind     lag + pending + held: what the group has not settled
--   dead       its dead letters
--   pending    how many deliveries are out for the first time
--   delivered  the id that was last read for the first time
--
-- The keys of a group are derived from the stream's: <stream>:<group>:held and <stream>:<group>:dead.
-- Cost: O(groups), whatever the length of the stream.

local function groups_of(stream)
  local found = {}
  local infos = redis.pcall('XINFO', 'GROUPS', stream)
  -- No stream yet. Another error (a key of the wrong type) is the caller's to meet with its own command.
  if infos.err then return found end
  local length = redis.call('XLEN', stream)
  for i, info in ipairs(infos) do
    local field = {}
    for j = 1, #info, 2 do field[info[j]] = info[j + 1] end
    -- Redis does not know the lag while an entry that was deleted (XDEL) lies ahead of the group, and Redis 6.2 never
    -- does: then the whole stream counts, which is right but for what trim has not given back yet. Redis 7.0 counts
    -- entries that XTRIM took from a group: never more than the stream holds.
    local lag = math.min(field['lag'] or length, length)
    local held = redis.call('ZCARD', stream .. ':' .. field['name'] .. ':held')
    found[i] = {
      name = field['name'],
      behind = lag + field['pending'] + held,
      dead = redis.call('XLEN', stream .. ':' .. field['name'] .. ':dead'),
      pending = field['pending'],
      delivered = field['last-delivered-id'],
    }
  end
  return found
end
