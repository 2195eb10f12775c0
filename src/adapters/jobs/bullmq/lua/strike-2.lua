-- Removes dead letters that have been replayed.
--
-- KEYS[1]  dead: hash, key -> letter
-- KEYS[2]  dead:at: sorted set, key by the instant (ms) of its letter
-- ARGV     pairs: key, letter as it was read
-- Returns  how many were removed
--
-- Guarantee: a letter that was written since (the job failed for good once more) stays.

local struck = 0
for i = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    struck = struck + redis.call('HDEL', KEYS[1], ARGV[i])
    redis.call('ZREM', KEYS[2], ARGV[i])
  end
end
return struck
