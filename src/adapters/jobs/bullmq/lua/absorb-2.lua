-- Lets the next attempt of a job that failed serve for what was added while it ran.
--
-- KEYS[1]  lock of the job
-- KEYS[2]  de-duplicated next job of BullMQ: what is to follow the one that runs
-- ARGV[1]  token of the worker
-- Returns  1 if something was to follow, else 0
--
-- Guarantee: what was added while another worker had the job stays.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[2])
