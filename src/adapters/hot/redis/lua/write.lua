-- Applies the library's writes to sessions: hash, window, overflow, token count, TTL, opt-out and agenda in step.
--
-- KEYS  1 agenda, 2 optouts, 3 tombstones; then per write: session, messages, overflow
-- ARGV  1 first threshold in ms, 2 TTL in ms, 3 window, 4 messages that fill a segment; then per write:
--       user, instant in ms, now in ms, the instant as text, what follows and flags ('n,m,flags'), n × (name, value),
--       m messages, with flag c the digest of the cart, with flag u the session's owner, where that is not the user, and with
--       flag s the channels that were opted out of
--       flags: a activity, c the cart is among the fields, o ordered, e ended, x opted out, s of some channels only, n look
--       now, m manage, u see above
-- Returns for each write that was refused its place in the batch and what is wrong with which key; nothing of it was done.
-- Guarantee: a touch of a user who is armed already changes nothing in the agenda; a user who is new, was waiting for
-- something later, or was silent for the first threshold, is looked at now. The latest activity never moves back, but
-- from a future that no clock is off by. What the window pushes out goes to the overflow, and when that fills a segment
-- the user is looked at. A session that others wrote stays theirs: its TTL is not touched, and a list that is begun beside
-- it goes with it. Nothing is written that happened before the user was erased.
--@include instants.lua
--@include tokens.lua

-- unpack() takes some 8,000 values at the most, and a list that others wrote may be longer. Even: names and values.
local CHUNK = 1000

-- Facts about the user, which a session that was ended hands on to the next.
local OF_THE_USER = { 'consent', 'phone', 'timezone', 'language' }

local call, KEYS, ARGV = redis.call, KEYS, ARGV
local agenda, optouts, tombstones = KEYS[1], KEYS[2], KEYS[3]
local threshold, ttl, window, segment = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local anyErased = call('EXISTS', tombstones) == 1

-- To be told from other refusals, see sessions.ts.
local ERASED = 'erased'

-- A digest is 'hash6quantity,hash6quantity,...', see src/model/cart.ts.
local function showsAddition(before, now)
  local had = {}
  for hash, quantity in before:gmatch('(......)([^,]+),?') do had[hash] = tonumber(quantity) end
  for hash, quantity in now:gmatch('(......)([^,]+),?') do
    if tonumber(quantity) > (had[hash] or 0) then return true end
  end
  return false
end

-- The field 'rekindle': epoch;ended;opened;added;digest. 'opened' names the life of the cart, negative once it is over.
local function readMarks(text)
  local epoch, ended, opened, added, digest = text:match('^(%d+);(%d+);(-?%d+);(%d+);(.*)$')
  if not epoch then return nil end
  for _, at in ipairs({ epoch, ended, opened, added }) do
    if math.abs(tonumber(at)) > LATEST_ISO_MS then return nil end
  end
  return { epoch = epoch, ended = ended, opened = tonumber(opened), added = tonumber(added), digest = digest }
end

-- The instant 'ended' alone, or nil if these are no marks: to take all of them apart costs as much as the rest of a touch.
local function endedIn(text)
  local epoch, ended, opened, added = text:match('^(%d+);(%d+);%-?(%d+);(%d+);')
  if not epoch then return nil end
  local long = #epoch > 14 or #ended > 14 or #opened > 14 or #added > 14
  if long and not readMarks(text) then return nil end
  return ended
end

local function markCart(marks, digest, ordered, at)
  if ordered or digest == '' then
    marks.opened = -math.abs(marks.opened)
    marks.added = 0
  elseif showsAddition(marks.digest, digest) then
    if marks.opened <= 0 then marks.opened = math.max(at, math.abs(marks.opened) + 1) end
    marks.added = math.max(at, marks.added)
  end
  marks.digest = digest
end

-- 'instant' of all channels, or '-', then ';channel=instant' of each single one: see src/model/opt-out.ts.
local function optOutOf(known, channels, at)
  local text = known or '-'
  for channel in channels:gmatch('[^,]+') do
    text = text:gsub(';' .. channel:gsub('[%-.]', '%%%0') .. '=[^;]*', '') .. ';' .. channel .. '=' .. at
  end
  return text
end

-- RPUSH or HSET of values[from] to values[last]; returns what the last of these commands did.
local function inChunks(command, key, values, from, last)
  local result
  for at = from, last, CHUNK do
    result = call(command, key, unpack(values, at, math.min(at + CHUNK - 1, last)))
  end
  return result
end

local function isList(key)
  local kind = call('TYPE', key).ok
  return kind == 'list' or kind == 'none', kind
end

-- What others wrote there is no place for messages: then they stay in the window. Returns true if a segment became full.
local function moveToOverflow(messages, overflow, count)
  if not isList(overflow) then return false end
  local moved = call('LPOP', messages, count)
  local length = inChunks('RPUSH', overflow, moved, 1, #moved)
  return math.floor(length / segment) > math.floor((length - #moved) / segment)
end

-- Most writes of a batch are alike: each text is taken apart once.
local shapes = {}
local function shapeOf(text)
  local shape = shapes[text]
  if not shape then
    local fields, messages, flags = text:match('^(%d+),(%d+),(%a*)$')
    shape = { fields = tonumber(fields), messages = tonumber(messages) }
    for flag in flags:gmatch('.') do shape[flag] = true end
    shapes[text] = shape
  end
  return shape
end

local function write(keyAt, argAt, has)
  local session, messages, overflow = KEYS[keyAt], KEYS[keyAt + 1], KEYS[keyAt + 2]
  local user, atText, nowText, instant = unpack(ARGV, argAt, argAt + 3)
  local at, now, messageCount = tonumber(atText), tonumber(nowText), has.messages
  local fieldsAt = argAt + 5
  local messagesAt = fieldsAt + 2 * has.fields
  local ownerAt = messagesAt + messageCount + (has.c and 1 or 0)
  local owner = has.u and ARGV[ownerAt] or user

  local erasedAt = anyErased and tonumber(call('ZSCORE', tombstones, owner) or nil)
  if erasedAt and at <= erasedAt then return ERASED end
  local known = redis.pcall('HMGET', session, 'rekindle', 'last_activity', 'context_tokens')
  if known.err then return session .. ' is a ' .. call('TYPE', session).ok .. '; a session is a hash' end
  local noted, lastActivity = known[1], toMs(known[2])
  -- Ours if it has the marks; '0' while it has not ended.
  local ended = noted and endedIn(noted)
  local foreign = not ended and call('EXISTS', session) == 1 and not has.m
  if foreign and has.e then return session .. ' was written by another program; it ends when that program deletes it' end
  local opensNext = ended and ended ~= '0' and (has.a or messageCount > 0)
  if messageCount > 0 or opensNext then
    local right, kind = isList(messages)
    if not right then return messages .. ' is a ' .. kind .. '; messages are a list' end
  end

  local fields = {}
  if opensNext then
    -- It was ended: this write opens the next one, and what was said before waits for demotion.
    local right, kind = isList(overflow)
    if not right then return overflow .. ' is a ' .. kind .. '; an overflow is a list' end
    local said = call('LRANGE', messages, 0, -1)
    inChunks('RPUSH', overflow, said, 1, #said)
    for i, value in ipairs(call('HMGET', session, unpack(OF_THE_USER))) do
      if value then
        fields[#fields + 1] = OF_THE_USER[i]
        fields[#fields + 1] = value
      end
    end
    call('DEL', session, messages)
    noted, ended = nil, nil
  end
  if has.x then
    local channels = has.s and ARGV[ownerAt + (has.u and 1 or 0)]
    local text = channels and optOutOf(call('HGET', optouts, owner), channels, atText) or atText
    call('HSET', optouts, owner, text)
  end
  if not ended and not foreign and (has.x or has.e) and not has.a then
    call('ZADD', agenda, 'LT', nowText, user)
    return nil
  end

  -- A write that says nothing makes a session ours; it opens none.
  local saysNothing = not has.a and has.fields == 0 and messageCount == 0
  if saysNothing and not ended and not foreign and call('EXISTS', session) == 0 then
    if has.n then call('ZADD', agenda, 'LT', nowText, user) end
    return nil
  end

  for i = fieldsAt, messagesAt - 1 do fields[#fields + 1] = ARGV[i] end
  local later = lastActivity and lastActivity > at and lastActivity <= now + FUTURE_TOLERANCE_MS
  if has.a and not later then
    fields[#fields + 1] = 'last_activity'
    fields[#fields + 1] = instant
  elseif has.a and lastActivity > now then
    -- Ahead of this clock, so it stands; yet it was no touch of this moment, and this one is to be seen.
    fields[#fields + 1] = 'last_activity'
    fields[#fields + 1] = string.format('%.3f', (lastActivity + 1) / 1000)
  end
  if not foreign and (not ended or has.c or has.e) then
    local marks = ended and readMarks(noted)
      or { epoch = atText, ended = '0', opened = 0, added = 0, digest = '' }
    if has.c then markCart(marks, ARGV[messagesAt + messageCount], has.o, at) end
    if has.e then marks.ended = atText end
    local text =
      string.format('%s;%s;%.0f;%.0f;%s', marks.epoch, marks.ended, marks.opened, marks.added, marks.digest)
    if text ~= noted then
      fields[#fields + 1] = 'rekindle'
      fields[#fields + 1] = text
    end
  end
  local segmentFull = false
  if messageCount > 0 then
    local length = inChunks('RPUSH', messages, ARGV, messagesAt, messagesAt + messageCount - 1)
    if foreign and length == messageCount then
      local left = call('PTTL', session)
      if left > 0 then call('PEXPIRE', messages, left) end
    end
    if length > window then segmentFull = moveToOverflow(messages, overflow, length - window) end
    fields[#fields + 1] = 'context_tokens'
    fields[#fields + 1] = tokensOf(call('LRANGE', messages, 0, -1))
  end
  inChunks('HSET', session, fields, 1, #fields)
  if not foreign then
    call('PEXPIRE', session, ttl)
    -- Ours has the count as soon as it has a window.
    if messageCount > 0 or known[3] or not known[1] then call('PEXPIRE', messages, ttl) end
  end

  local lookNow = has.n or segmentFull
  if has.a then
    local counted = at > now + FUTURE_TOLERANCE_MS and now or at
    local changed = call('ZADD', agenda, 'LT', 'CH', counted + threshold, user) == 1
    lookNow = lookNow or changed or not lastActivity or counted - lastActivity >= threshold
  end
  if lookNow then call('ZADD', agenda, 'LT', nowText, user) end
  return nil
end

local refused, place, at = {}, 0, 5
for keyAt = 4, #KEYS, 3 do
  local shape = shapeOf(ARGV[at + 4])
  -- One user's trouble (memory at its limit, a key of ours that somebody spoilt) is no other's.
  local done, trouble = pcall(write, keyAt, at, shape)
  if trouble then
    refused[#refused + 1] = place
    refused[#refused + 1] = done and trouble or type(trouble) == 'table' and trouble.err or tostring(trouble)
  end
  place = place + 1
  at = at + 5 + 2 * shape.fields + shape.messages + (shape.c and 1 or 0) + (shape.u and 1 or 0)
    + (shape.s and 1 or 0)
end
return refused
