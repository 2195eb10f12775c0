-- Gives up a lease.
-- KEYS  1 lease
-- ARGV  1 token of the holder
-- Returns 1, or 0 when somebody else holds it or nobody does.
-- Guarantee: only the holder's lease is given up.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
