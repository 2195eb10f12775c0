-- Tells of announcements whether all that decides on them is as it was when they were recorded.
--
-- KEYS  1 optouts; then per announcement: session, ledger
-- ARGV  1-5 names of the fields that decide, see sight.lua; 6 what was recorded, per announcement a line that ends with a
--       line break: last_activity, cart and how the ledger goes on behind its version, with a tab between them; 7 where in
--       the key of a ledger its user begins; then, where users are not the owners of their sessions, per announcement its
--       owner
-- Returns {a letter per announcement, then consents}: y it is, and the session says nothing of consent; c it is, and the
-- next of the consents is what it says; n it is not, or that cannot be told here.
-- Guarantee: changes nothing; each answer is of one moment. With y and c the announcement is the latest event of its user,
-- its episode is open with the same life of the cart, the session is not ended and says nothing of an order, and nobody
-- has opted out.
-- As few strings as can be enter Lua, which hashes each: three of an announcement that stands, one of what is compared.

local VERSION = 8
local call, pcall, find, sub, match = redis.call, redis.pcall, string.find, string.sub, string.match
local ACTIVITY, CART, ORDER, CONSENT, MARKS = unpack(ARGV, 1, 5)
local lines, userFrom = ARGV[6], tonumber(ARGV[7])

-- epoch;ended;opened;…: see src/model/session.ts.
local GOES_ON = '^%d+;0;(%-?%d+);'
local BRACKET = 91

local ledgers, owners = {}, {}
for n = 1, (#KEYS - 1) / 2 do ledgers[n] = KEYS[2 * n + 1] end
local stored = call('MGET', unpack(ledgers))
local optedOut = owners
if call('EXISTS', KEYS[1]) == 1 then
  for n = 1, #ledgers do owners[n] = ARGV[7 + n] or sub(ledgers[n], userFrom) end
  optedOut = call('HMGET', KEYS[1], unpack(owners))
end

-- Whether the episode is open, and the cart's life is what it was, where the library noted one. A ledger is
-- [activityAt, sequence, "cart", [openedAt, [[n, at, as], …], life, …: see src/model/ledger.ts.
local function isOfLife(text, cartFrom, marks)
  local cartTo = find(text, '"', cartFrom + 1, true)
  if not cartTo or text:byte(cartTo + 2) ~= BRACKET then return false end
  if not marks then return true end
  local _, stagesTo = find(text, ']],', cartTo, true)
  local life = stagesTo and match(text, '^%-?%d+', stagesTo + 1)
  local opened = match(marks, GOES_ON)
  return life and opened and tonumber(opened) == match(text, '^%d+', VERSION + 2) + life
end

-- Whether it is unchanged, and what the session says of consent.
local function isUnchanged(session, text, recorded)
  -- First, for a cart may be too large to be read at all.
  local length = pcall('HSTRLEN', session, CART)
  if type(length) ~= 'number' or length > #recorded then return false end
  local values = pcall('HMGET', session, ACTIVITY, CART, ORDER, CONSENT, MARKS)
  local activity, cart, order, consent, marks = values[1], values[2], values[3], values[4], values[5]
  if not activity or not cart or order then return false end
  local ends = find(text, '"', VERSION + 1, true)
  if not ends then return false end
  if activity .. '\t' .. cart .. '\t' .. sub(text, VERSION + 1, ends) ~= recorded then return false end
  return isOfLife(text, ends, marks), consent
end

local letters, answer, from = {}, { '' }, 1
for n = 1, #ledgers do
  local to = find(lines, '\n', from, true)
  local text, unchanged, consent = stored[n], false, nil
  if text and not optedOut[n] then
    unchanged, consent = isUnchanged(KEYS[2 * n], text, sub(lines, from, to - 1))
  end
  from = to + 1
  letters[n] = unchanged and (consent and 'c' or 'y') or 'n'
  if unchanged and consent then answer[#answer + 1] = consent end
end
answer[1] = table.concat(letters)
return answer
