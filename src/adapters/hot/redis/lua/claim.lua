-- Takes due users under a lease.
--
-- KEYS  1 agenda, 2 leased
-- ARGV  1 now, 2 end of the new lease, 3 most users to take
-- Returns {users, instant of the next look that is known of or false}
-- Guarantee: a user under a live lease is not taken; those passed over use up none of the limit; whose lease has ended
-- is due again at once. A new lease ends later than any before it on the same user, so its end identifies the claim.

-- Users looked through at a time, and how often: 5,000 under live leases are passed over, more than all replicas hold
-- at once. The bound of one run, not of what is found by and by. The first page is what is asked for, for hardly anybody
-- who is due is under a lease: looking through 250 to take 64 was most of a claim.
local PAGE = 250
local PAGES_MAX = 21

local agenda, leased = KEYS[1], KEYS[2]
local now, leasedUntil, limit = ARGV[1], ARGV[2], tonumber(ARGV[3])

local ended = redis.call('ZRANGEBYSCORE', leased, '-inf', now, 'LIMIT', 0, limit)
if #ended > 0 then
  local due = {}
  for _, user in ipairs(ended) do
    due[#due + 1] = now
    due[#due + 1] = user
  end
  redis.call('ZADD', agenda, 'LT', unpack(due))
  redis.call('ZREM', leased, unpack(ended))
end

local users, passed, pages = {}, 0, 0
while #users < limit and pages < PAGES_MAX do
  pages = pages + 1
  local size = pages == 1 and limit or math.max(PAGE, limit)
  local page = redis.call('ZRANGEBYSCORE', agenda, '-inf', now, 'LIMIT', passed, size)
  if #page == 0 then break end
  local leases = redis.call('ZMSCORE', leased, unpack(page))
  local taken, leases_of_taken = {}, {}
  for i, user in ipairs(page) do
    if not leases[i] and #users < limit then
      users[#users + 1] = user
      taken[#taken + 1] = user
      leases_of_taken[#leases_of_taken + 1] = leasedUntil
      leases_of_taken[#leases_of_taken + 1] = user
    else
      passed = passed + 1
    end
  end
  if #taken > 0 then
    redis.call('ZADD', leased, unpack(leases_of_taken))
    -- The first of the set, unless somebody was passed over: by rank they are found once, by name each on its own.
    if passed == 0 then redis.call('ZREMRANGEBYRANK', agenda, 0, #taken - 1)
    else redis.call('ZREM', agenda, unpack(taken)) end
  end
end

if #users == limit then return { users, now } end
local nextDue = redis.call('ZRANGEBYSCORE', agenda, '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
local nextFree = redis.call('ZRANGE', leased, 0, 0, 'WITHSCORES')[2]
if nextDue and nextFree then
  return { users, tonumber(nextDue) < tonumber(nextFree) and nextDue or nextFree }
end
return { users, nextDue or nextFree or false }
