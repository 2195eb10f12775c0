-- Removes what a queue holds under a key.
--
-- KEYS[1]  BullMQ's de-duplication key: id of the job that waits or runs under the key
-- KEYS[2]  BullMQ's de-duplicated next job: what is to follow the one that runs
-- KEYS[3]  wait: list
-- KEYS[4]  active: list
-- KEYS[5]  delayed: sorted set
-- KEYS[6]  stalled: set
-- KEYS[7]  dead: hash, key -> letter
-- KEYS[8]  dead:at: sorted set, key by the instant (ms) of its letter
-- ARGV[1]  the key
-- ARGV[2]  what stands before the id in the key of a job
-- Returns  how many jobs and letters were removed
--
-- Guarantee: a job that somebody works at (its lock lives) is not touched. O(n) in the jobs that wait. The keys of the
-- job are derived from its id.

local removed = 0
local id = redis.call('GET', KEYS[1])
if id then
  local job = ARGV[2] .. id
  if redis.call('EXISTS', job .. ':lock') == 0 then
    redis.call('LREM', KEYS[3], 1, id)
    redis.call('LREM', KEYS[4], 1, id)
    redis.call('ZREM', KEYS[5], id)
    redis.call('SREM', KEYS[6], id)
    redis.call('DEL', KEYS[1])
    removed = removed + redis.call('DEL', job)
  end
end
removed = removed + redis.call('DEL', KEYS[2])
removed = removed + redis.call('HDEL', KEYS[7], ARGV[1])
redis.call('ZREM', KEYS[8], ARGV[1])
return removed
