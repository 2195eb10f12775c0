-- Brings a user's session back: that which is over and still stands, or one that was demoted.
--
-- KEYS  1 agenda, 2 tombstones, 3 session, 4 messages, 5 overflow
-- ARGV  1 user, 2 instant in ms, 3 the instant as text, 4 TTL in ms, 5 window, 6 latest instant of what is brought back,
--       7 the cart's marks (opened;added;digest), 8 owner of the session, 9 number n of fields, then n × (name, value), then
--       messages, oldest first; no field: what still stands is taken up, and 7 is the epoch of that
-- Returns RESTORED, ERASED, or BUSY: the overflow has to be taken to warm first, for it was said in between, or what was
-- to be taken up does not stand any more.
-- Guarantee: a session that was begun meanwhile keeps all that it has; it is given the fields that it lacks, and in front
-- of its window the messages that are not in it, as far as there is room. A session that others wrote keeps its TTL.
--@include instants.lua
--@include tokens.lua

local RESTORED, ERASED, BUSY = 1, 0, -1
local CHUNK = 1000

local call = redis.call
local agenda, tombstones, session, messages, overflow = unpack(KEYS)
local user, atText, instant, ttl = unpack(ARGV, 1, 4)
local window, owner, count = tonumber(ARGV[5]), ARGV[8], tonumber(ARGV[9])

local erasedAt = tonumber(call('ZSCORE', tombstones, owner) or nil)
if erasedAt and erasedAt >= tonumber(ARGV[6]) then return ERASED end
if count > 0 and call('EXISTS', overflow) == 1 then return BUSY end

local begun = call('EXISTS', session) == 1
local epoch, ended, cart = (call('HGET', session, 'rekindle') or ''):match('^(%d+);(%d+);(.*)$')
if count == 0 and epoch ~= ARGV[7] then return BUSY end
if ended and ended ~= '0' then epoch = atText end
local foreign = begun and not epoch
local marksOfCart = count > 0 and call('HEXISTS', session, 'cart') == 0 and ARGV[7] or cart
for i = 10, 9 + 2 * count, 2 do call('HSETNX', session, ARGV[i], ARGV[i + 1]) end
if not foreign then
  local marks = string.format('%s;0;%s', epoch or atText, marksOfCart)
  call('HSET', session, 'rekindle', marks)
  local last = toMs(call('HGET', session, 'last_activity'))
  local now = tonumber(atText)
  if not last or last < now or last > now + FUTURE_TOLERANCE_MS then
    call('HSET', session, 'last_activity', instant)
  end
end

local kind = call('TYPE', messages).ok
if kind == 'list' or kind == 'none' then
  local present = {}
  local said = call('LRANGE', messages, 0, -1)
  for _, text in ipairs(said) do present[text] = true end
  local back = {}
  for i = #ARGV, 10 + 2 * count, -1 do
    if #said + #back >= window then break end
    if not present[ARGV[i]] then back[#back + 1] = ARGV[i] end
  end
  for from = 1, #back, CHUNK do
    call('LPUSH', messages, unpack(back, from, math.min(from + CHUNK - 1, #back)))
  end
  if #back > 0 then
    call('HSET', session, 'context_tokens', tokensOf(call('LRANGE', messages, 0, -1)))
    local left = call('PTTL', session)
    if foreign and left > 0 then call('PEXPIRE', messages, left) end
  end
end
if not foreign then
  call('PEXPIRE', session, ttl)
  call('PEXPIRE', messages, ttl)
end
call('ZADD', agenda, 'LT', atText, user)
return RESTORED
