-- Writes the ledgers of a batch of users, each under three conditions; and where nothing else is left of a look, ends it.
--
-- KEYS  1 leased, 2 optouts, 3 quarantine (by time), 4 quarantine (details), 5 agenda, 6 stream of the event bus; then per
--       user: session, ledger
-- ARGV  1 instant until which the lease must still run, 2 end of the claim's lease, 3 largest cart, 4 most users in
--       quarantine, 5-9 names of the fields that decide, see sight.lua; 10 the bus's cap; 11 number m of events; 12 number n
--       of owners, then n owners: of each user, or none where each is their own; then per user:
--       user, digest, version of the ledger that was read, ledger with its pending events, and what is left of the look:
--       number of events to append, or -1 where there is more to do; instant of the next look or ''; then m times: type,
--       event, in the order of the users; then per user that moves into quarantine or out of it: its place in the batch, the
--       detail or '' to leave, its instant
-- Returns one code per user: SETTLED, COMMITTED, CHANGED, LEASE_LOST or FULL. Stops early like read.lua.
-- Guarantee: a ledger is written only while the claim's lease lives, and only if neither session nor ledger has
-- changed since they were read; events and ledger are one text, or one step. FULL: the bus takes no event, and nothing was
-- written. A touch during the lease, which armed an earlier look, stands.
--@include sight.lua
--@include append.lua

local SETTLED, COMMITTED, CHANGED, LEASE_LOST, FULL = 2, 1, 0, -1, -2
local BYTES_MAX = 524288
local VERSION = 8
-- How a digest begins: '#', or with the zero byte after no fault.
local HASHED, NO_FAULT = 35, 0

local KEYS, ARGV = KEYS, ARGV
local leased, optouts, quarantine, details, agenda, stream = unpack(KEYS, 1, 6)
local leasedUntil, livesOn = ARGV[2], tonumber(ARGV[2]) > tonumber(ARGV[1])
local maxCart, maxQuarantined, names = tonumber(ARGV[3]), tonumber(ARGV[4]), { unpack(ARGV, 5, 9) }
local cap, events, owners = tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12])
local count, first = (#KEYS - 6) / 2, 13 + owners
local nextEvent = first + 6 * count
local moves = nextEvent + 2 * events

-- All that can be had in one command for all users.
local users, ledgers = {}, {}
for n = 1, count do
  users[n] = ARGV[first + 6 * (n - 1)]
  ledgers[n] = KEYS[2 * n + 6]
end
local leases = call('ZMSCORE', leased, unpack(users))
local stored = call('MGET', unpack(ledgers))
local optedOut = call('HMGET', optouts, unpack(owners > 0 and { unpack(ARGV, 13, 12 + owners) } or users))
-- Beyond the cap the bus trims, before it takes more.
local length = events > 0 and pcall('XLEN', stream)
local room = type(length) == 'number' and length <= cap and room_of(stream, cap) or 0
local writes, settled, armed = {}, {}, {}

-- Before any ledger is written: where the first fails, all do, and nothing was done.
local function announce(from, number)
  for at = from, from + 2 * number - 2, 2 do
    if append(stream, ARGV[at], ARGV[at + 1]) then return false end
  end
  return true
end

local function commit(n)
  local argAt = first + 6 * (n - 1)
  local number, event = tonumber(ARGV[argAt + 4]), nextEvent
  nextEvent = nextEvent + 2 * math.max(0, number)
  if leases[n] ~= leasedUntil or not livesOn then return LEASE_LOST, 0 end
  local seen, version, ledger, text = ARGV[argAt + 1], ARGV[argAt + 2], ledgers[n], stored[n]
  if text then
    if text:sub(1, VERSION) ~= version then return CHANGED, 0 end
  elseif version ~= '' or call('EXISTS', ledger) == 1 then
    return CHANGED, 0
  end
  local begins = seen:byte(1)
  local hashed = begins == HASHED
  local measure = hashed or begins ~= NO_FAULT
  local _, _, digest = sight(KEYS[2 * n + 5], optedOut[n], names, maxCart, measure)
  local bytes = #digest
  if hashed then digest = '#' .. redis.sha1hex(digest) end
  if digest ~= seen then return CHANGED, bytes end
  if number > 0 and (room < events or not announce(event, number)) then return FULL, bytes end
  writes[#writes + 1] = ledger
  writes[#writes + 1] = ARGV[argAt + 3]
  if number < 0 then return COMMITTED, bytes end
  settled[#settled + 1] = users[n]
  local nextAt = ARGV[argAt + 5]
  if nextAt ~= '' then
    armed[#armed + 1] = nextAt
    armed[#armed + 1] = users[n]
  end
  return SETTLED, bytes
end

local codes, total = {}, 0
for n = 1, count do
  local code, bytes = commit(n)
  codes[n] = code
  total = total + bytes
  if total > BYTES_MAX then break end
end
-- No TTL, for which there is no such command: a ledger that is spent is swept by reconcile.
if #writes > 0 then call('MSET', unpack(writes)) end
if #armed > 0 then call('ZADD', agenda, 'LT', unpack(armed)) end
if #settled > 0 then call('ZREM', leased, unpack(settled)) end

for at = moves, #ARGV, 3 do
  local n, detail, since = tonumber(ARGV[at]), ARGV[at + 1], ARGV[at + 2]
  local written = (codes[n] or 0) > 0
  if written and detail == '' then
    call('ZREM', quarantine, users[n])
    call('HDEL', details, users[n])
  elseif written then
    call('ZADD', quarantine, since, users[n])
    call('HSET', details, users[n], detail)
    local over = call('ZCARD', quarantine) - maxQuarantined
    local oldest = over > 0 and call('ZPOPMIN', quarantine, over) or {}
    for i = 1, #oldest, 2 do call('HDEL', details, oldest[i]) end
  end
end
return codes
