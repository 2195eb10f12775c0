-- Gives out a fencing token.
--
-- KEYS  1 the last one
-- ARGV  1 now, Unix milliseconds
-- Returns a number greater than every one before, and not below `now`: so also where the last one was lost.
-- Guarantee: of two callers the later one has the greater token.

local last = tonumber(redis.call('GET', KEYS[1])) or 0
local token = math.max(last + 1, tonumber(ARGV[1]))
redis.call('SET', KEYS[1], string.format('%.0f', token))
return token
