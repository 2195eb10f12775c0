-- Takes out of the overflow what stands in warm.
--
-- KEYS  1 overflow
-- ARGV  1 number of messages, 2 their digest, see record.lua
-- Returns 1, or 0 if the overflow begins with something else: another worker has taken it.

local head = redis.call('LRANGE', KEYS[1], 0, ARGV[1] - 1)
if #head ~= tonumber(ARGV[1]) or redis.sha1hex(cmsgpack.pack(head)) ~= ARGV[2] then return 0 end
redis.call('LTRIM', KEYS[1], ARGV[1], -1)
return 1
