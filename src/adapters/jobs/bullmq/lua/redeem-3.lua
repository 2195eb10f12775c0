-- Removes the dead letter of a key whose job has been done now.
--
-- KEYS[1]  lock of the job
-- KEYS[2]  dead: hash, key -> letter
-- KEYS[3]  dead:at: sorted set, key by the instant (ms) of its letter
-- ARGV[1]  token of the worker
-- ARGV[2]  the job's key
-- Returns  1 if there was a letter, else 0
--
-- Guarantee: a worker that was frozen, and woke when another had its job, removes nothing: that other one's letter may
-- tell of a later change.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('ZREM', KEYS[3], ARGV[2])
return redis.call('HDEL', KEYS[2], ARGV[2])
