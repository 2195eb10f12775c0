-- Ends a claim's lease on users and arms their next looks.
--
-- KEYS  1 agenda, 2 leased
-- ARGV  1 end of the claim's lease; then per user: user, instant of the next look or ''
-- Returns the number of users settled.
-- Guarantee: only the lease that this claim was given ends; a worker that wakes late takes nobody else's. A touch
-- during the lease, which armed an earlier look, stands.

local agenda, leased, leasedUntil = KEYS[1], KEYS[2], tonumber(ARGV[1])
local asked = {}
for i = 2, #ARGV, 2 do asked[#asked + 1] = ARGV[i] end
local leases = redis.call('ZMSCORE', leased, unpack(asked))
local settled, armed = {}, {}
for i, user in ipairs(asked) do
  if leases[i] and tonumber(leases[i]) == leasedUntil then
    settled[#settled + 1] = user
    local at = ARGV[2 * i + 1]
    if at ~= '' then
      armed[#armed + 1] = at
      armed[#armed + 1] = user
    end
  end
end
if #armed > 0 then redis.call('ZADD', agenda, 'LT', unpack(armed)) end
if #settled > 0 then redis.call('ZREM', leased, unpack(settled)) end
return #settled
