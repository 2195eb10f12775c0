-- Writes the ledgers of a batch of users with their new events, each under three conditions.
--
-- KEYS  1 leased, 2 quarantine (by time), 3 quarantine (details); then per user: session, optout, ledger, pending
-- ARGV  1 instant until which the lease must still run, 2 end of the claim's lease, 3 TTL of ledgers in ms,
--       4 largest cart, 5 most users in quarantine, 6 number n of fields, then n names; then per user:
--       user, digest, version, ledger, quarantine ('' as it is, '-' leave, else the detail), its instant,
--       number m of events, then m × (id, event)
-- Returns one code per user: COMMITTED, CHANGED or LEASE_LOST. Stops early like read.lua.
-- Guarantee: a ledger is written only while the claim's lease lives, and only if neither session nor ledger has
-- changed since they were read; events and ledger are written together.
--@include sight.lua

local COMMITTED, CHANGED, LEASE_LOST = 1, 0, -1
local BYTES_MAX = 524288

local function nextVersion(version)
  return string.format('%08x', ((tonumber(version, 16) or 0) + 1) % 4294967296)
end

local leased, quarantine, details = KEYS[1], KEYS[2], KEYS[3]
local mustRunUntil, leasedUntil, ttl = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local maxCart, maxQuarantined, names = tonumber(ARGV[4]), tonumber(ARGV[5]), {}
for i = 1, tonumber(ARGV[6]) do names[i] = ARGV[6 + i] end
local at = 7 + #names

local function commit(user, keyAt, digest, version, ledger, toQuarantine, since, eventsAt, events)
  local lease = tonumber(redis.call('ZSCORE', leased, user) or nil)
  if lease ~= leasedUntil or lease <= mustRunUntil then return LEASE_LOST, 0 end
  local known = redis.pcall('GETRANGE', KEYS[keyAt + 2], 0, 7)
  if known ~= version then return CHANGED, 0 end
  local _, _, _, _, seen, bytes = sight(KEYS[keyAt], KEYS[keyAt + 1], maxCart, names)
  if seen ~= digest then return CHANGED, bytes end
  if events > 0 then
    local added = redis.pcall('HSET', KEYS[keyAt + 3], unpack(ARGV, eventsAt, eventsAt + 2 * events - 1))
    if type(added) == 'table' then return CHANGED, bytes end
    redis.call('PEXPIRE', KEYS[keyAt + 3], ttl)
  end
  redis.call('SET', KEYS[keyAt + 2], nextVersion(version) .. ledger, 'PX', ttl)
  if toQuarantine == '-' then
    redis.call('ZREM', quarantine, user)
    redis.call('HDEL', details, user)
  elseif toQuarantine ~= '' then
    redis.call('ZADD', quarantine, since, user)
    redis.call('HSET', details, user, toQuarantine)
    local over = redis.call('ZCARD', quarantine) - maxQuarantined
    if over > 0 then
      local oldest = redis.call('ZPOPMIN', quarantine, over)
      for i = 1, #oldest, 2 do redis.call('HDEL', details, oldest[i]) end
    end
  end
  return COMMITTED, bytes
end

local codes, total = {}, 0
for keyAt = 4, #KEYS, 4 do
  local events = tonumber(ARGV[at + 6])
  local code, bytes = commit(ARGV[at], keyAt, ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5],
    at + 7, events)
  codes[#codes + 1] = code
  at = at + 7 + 2 * events
  total = total + bytes
  if total > BYTES_MAX then break end
end
return codes
