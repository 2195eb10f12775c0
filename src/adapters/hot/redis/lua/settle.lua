-- Strikes published events from the pending ones of a batch of users, ends a claim's lease on them and arms their next
-- looks.
--
-- KEYS  1 agenda, 2 leased; then per user of whom something was published: ledger
-- ARGV  1 end of the claim's lease, 2 number n of users; then n times: user, instant of the next look or ''; then per
--       ledger: number m of ids, then m ids
-- Returns the number of users settled.
-- Guarantee: exactly these ids go, whatever was added meanwhile and whoever holds the lease; where any went, the ledger's
-- version moves on, so that a commit based on the earlier state fails. Only the lease that this claim was given ends; a
-- worker that wakes late takes nobody else's. A touch during the lease, which armed an earlier look, stands.

local VERSION = 8

local call, KEYS, ARGV = redis.call, KEYS, ARGV
local agenda, leased, leasedUntil = KEYS[1], KEYS[2], ARGV[1]
local lastOfUsers = 2 + 2 * tonumber(ARGV[2])

-- A pending event is a line 'id event' after the ledger; neither holds a line break. Each text is put together once, with
-- the version in it: a string more costs more than the search.
local function without(text, id, version)
  local from = text:find('\n' .. id .. ' ', VERSION, true)
  if not from then return end
  local next = text:find('\n', from + 1, true)
  return version .. text:sub(VERSION + 1, from - 1) .. (next and text:sub(next) or '')
end

-- A commit counts in the first 7 digits of the version and a strike in the last, which goes from '0' to '~' and round.
local function versionAfter(text)
  return text:sub(1, VERSION - 1) .. string.char((text:byte(VERSION) - 47) % 79 + 48)
end

if #KEYS > 2 then
  local stored = call('MGET', unpack(KEYS, 3))
  local at, writes = lastOfUsers + 1, {}
  for i = 1, #stored do
    local n, text, struck = tonumber(ARGV[at]), stored[i], false
    local version = text and versionAfter(text)
    for j = at + 1, text and at + n or at do
      local left = without(text, ARGV[j], version)
      if left then text, struck = left, true end
    end
    at = at + n + 1
    if struck then
      writes[#writes + 1] = KEYS[i + 2]
      writes[#writes + 1] = text
    end
  end
  if #writes > 0 then call('MSET', unpack(writes)) end
end

local asked = {}
for i = 3, lastOfUsers, 2 do asked[#asked + 1] = ARGV[i] end
local leases = call('ZMSCORE', leased, unpack(asked))
local settled, armed = {}, {}
for i, user in ipairs(asked) do
  if leases[i] == leasedUntil then
    settled[#settled + 1] = user
    local at = ARGV[2 * i + 2]
    if at ~= '' then
      armed[#armed + 1] = at
      armed[#armed + 1] = user
    end
  end
end
if #armed > 0 then call('ZADD', agenda, 'LT', unpack(armed)) end
if #settled > 0 then call('ZREM', leased, unpack(settled)) end
return #settled
