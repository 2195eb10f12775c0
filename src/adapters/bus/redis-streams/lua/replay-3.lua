-- Gives dead letters to their group again, as if nobody had tried them.
--
-- KEYS[1]  held: sorted set of the group, entry id -> instant (ms) from which anybody may take it
-- KEYS[2]  held:bodies: hash of the group, entry id -> '<attempts so far> <event JSON>'
-- KEYS[3]  dead: stream of the group's dead letters
-- ARGV[1]  id of a dead letter, ARGV[2] …
-- Returns  how many of them there were
--
-- Guarantee: a letter leaves the dead ones only together with its copy in held, so it is always in one of the two.

local held, bodies, dead = KEYS[1], KEYS[2], KEYS[3]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local replayed = 0
for _, id in ipairs(ARGV) do
  local letter = redis.call('XRANGE', dead, id, id)[1]
  if letter then
    local field = {}
    for i = 1, #letter[2], 2 do field[letter[2][i]] = letter[2][i + 1] end
    local entry = field['entry'] or id
    redis.call('ZADD', held, string.format('%.0f', now), entry)
    redis.call('HSET', bodies, entry, '0 ' .. (field['event'] or ''))
    redis.call('XDEL', dead, id)
    replayed = replayed + 1
  end
end
return replayed
