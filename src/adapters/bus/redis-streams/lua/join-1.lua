-- Creates a consumer group if there is none, and forgets members of it that are gone.
--
-- KEYS[1]  the stream, created if need be
-- ARGV[1]  the group
-- ARGV[2]  milliseconds without a sign of life after which a member with nothing in hand is forgotten
-- Returns  1 if the group was created, else 0
--
-- Guarantee: a new group begins with the oldest entry that the stream still holds. A member that has deliveries is
-- never forgotten, for Redis would forget these with it.

local stream, group, gone_ms = KEYS[1], ARGV[1], tonumber(ARGV[2])

local created = redis.pcall('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
if not created.err then return 1 end
if string.sub(created.err, 1, 9) ~= 'BUSYGROUP' then return created end

for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
  local field = {}
  for j = 1, #info, 2 do field[info[j]] = info[j + 1] end
  if field['pending'] == 0 and field['idle'] > gone_ms then
    redis.call('XGROUP', 'DELCONSUMER', stream, group, field['name'])
  end
end
return 0
