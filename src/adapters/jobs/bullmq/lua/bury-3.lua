-- Writes the dead letter of a job, before the worker that holds it ends it.
--
-- KEYS[1]  lock of the job
-- KEYS[2]  dead: hash, key -> letter
-- KEYS[3]  dead:at: sorted set, key by the instant (ms) of its letter
-- ARGV[1]  token of the worker
-- ARGV[2]  the job's key
-- ARGV[3]  letter
-- ARGV[4]  its instant (ms)
-- ARGV[5]  how many letters are kept
-- ARGV[6]  how long they are kept (ms)
-- Returns  how many old letters had to go, or -1 if the worker does not hold the job any more; nothing happened then
--
-- Guarantee: at most one letter for a key, and only from whoever holds its job. The keys never expire as a whole: a
-- Redis that evicts would take them first.

local lock, dead, dead_at = KEYS[1], KEYS[2], KEYS[3]
local token, key, letter, at = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local max, kept_ms = tonumber(ARGV[5]), tonumber(ARGV[6])

if redis.call('GET', lock) ~= token then return -1 end

redis.call('HSET', dead, key, letter)
redis.call('ZADD', dead_at, at, key)

-- At most a thousand a call: no script blocks the server for long.
local old = redis.call('ZRANGEBYSCORE', dead_at, '-inf', at - kept_ms, 'LIMIT', 0, 1000)
local over = redis.call('ZCARD', dead_at) - #old - max
if over > 0 then
  old = redis.call('ZRANGE', dead_at, 0, math.min(#old + over, 1000) - 1)
end
for _, gone in ipairs(old) do
  redis.call('HDEL', dead, gone)
  redis.call('ZREM', dead_at, gone)
end
return #old
