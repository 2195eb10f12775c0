-- Arms a batch of users whose sessions somebody else wrote.
--
-- KEYS  1 agenda; then per user: session
-- ARGV  1 now, 2 first threshold in ms, 3 how long before its TTL a session is copied, in ms; then per user: user
-- Returns the places of the users whose session is not ours.
-- Guarantee: the look comes at the latest one threshold after the last activity, and well before the TTL; a touch of a
-- user who is armed for that already changes nothing. What cannot be read is looked at now: the look says why.

-- As in src/model/instant.ts.
local MILLISECONDS_FROM = 946684800000
local FUTURE_TOLERANCE_MS = 300000

-- Characters; an instant with all its digits has 20. What is longer is looked at now.
local LONGEST_INSTANT = 64

local agenda = KEYS[1]
local now, threshold, lead = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local others = {}

-- Returns when the look is due, or nil; and whether the session is ours.
local function dueAt(session)
  local values = redis.pcall('HMGET', session, 'last_activity', 'rekindle')
  if values.err then
    -- A list or a text whose key ends so is somebody's messages, and no session.
    local kind = session:sub(-9) == ':messages' and redis.call('TYPE', session).ok
    return kind ~= 'list' and kind ~= 'string' and now or nil, false
  end
  -- Digits, and perhaps a fraction: tonumber() alone would take "nan", "inf" and "0x10" for instants too. Of a long
  -- text the pattern tries every way to split it: 30,000 digits and a letter held Redis for 16 s.
  local text, ours = values[1] or '', values[2]
  local last = #text <= LONGEST_INSTANT and tonumber(text:match('^%s*(%d+%.?%d*)%s*$'))
  if not last or last > 8640000000000000 then
    -- A session of ours in which nothing was the user's own doing yet.
    if not values[1] and ours then return nil, ours end
    return now, ours
  end
  if last < MILLISECONDS_FROM then last = last * 1000 end
  if last > now + FUTURE_TOLERANCE_MS then last = now end
  local due = last + threshold
  local left = redis.call('PTTL', session)
  if left > 0 then due = math.min(due, now + math.max(left - lead, left / 2)) end
  return math.floor(due), ours
end

for i = 2, #KEYS do
  local user = ARGV[i + 2]
  local due, ours = dueAt(KEYS[i])
  if due and redis.call('ZADD', agenda, 'LT', 'CH', string.format('%.0f', due), user) == 1 then
    redis.call('ZADD', agenda, 'LT', ARGV[1], user)
  end
  if not ours then others[#others + 1] = i - 1 end
end
return others
