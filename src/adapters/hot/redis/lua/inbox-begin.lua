-- Takes events into a member's hands, those that are to be handled.
--
-- KEYS  1 tombstones, 2 inbox
-- ARGV  1 now in ms, 2 until when they are held, 16 digits, 3 token of the member, 4 retention in ms, 5 group and source,
--       6 JSON list of texts, per event: subject, id, sequence or '' of a fact, its instant in ms and its user with a space
--       between them, or '' where an erasure changes nothing
-- Returns a letter per event: new, again, repeat, overtaken, busy, erased or unreadable; see src/ports/inbox.ts.
-- Guarantee: of the events of a subject one at a time is in somebody's hands, and no call to act comes after a later one
-- that was begun. What took effect is not begun again, while it is among the last that did.
-- One list, for an argument costs client and server more than its bytes; in a list of texts JSON changes nothing.

local tombstones, inbox = KEYS[1], KEYS[2]
local now, heldUntil, token, retention, whose = tonumber(ARGV[1]), ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
--@include inbox-record.lua

local events = cjson.decode(ARGV[6])
for i = 1, #events, 4 do subjects[#subjects + 1] = events[i] end
readTexts()
local anyErased = call('EXISTS', tombstones) == 1

local function isErased(who)
  local at, user = match(who, '^(%S+) (.*)$')
  local erasedAt = at and tonumber(call('ZSCORE', tombstones, user) or nil)
  return erasedAt and tonumber(at) <= erasedAt
end

local function begin(n, subject, id, sequence, who)
  if anyErased and who ~= '' and isErased(who) then return 'e' end
  local held = ' ' .. heldUntil .. ' ' .. id .. ' ' .. token
  local text = written[subject] or texts[n]
  if not text then
    write(subject, rememberedUntil .. OURS .. sequence .. ' ' .. (sequence ~= '' and id or '') .. ' , ,' .. held)
    return 'n'
  end
  local from, to, rest = placeOf(text)
  local mark, marked, tried, done = '', '', ',', ','
  if from then
    local till, other
    mark, marked, tried, done, till, other = match(sub(text, rest, to), LINE)
    if has(done, id) then return 'r' end
    if sequence ~= '' and id ~= marked and sequence <= mark then return 'o' end
    if till ~= '' then
      if tonumber(till) > now then return 'b' end
      -- Whoever had it and did not end it may have handled it.
      if not has(tried, other) then tried = with(tried, other) end
    end
  else
    from, to = #text + 1, #text
  end
  if sequence ~= '' then mark, marked = sequence, id end
  write(subject, rememberedUntil .. sub(text, find(text, '\n', 1, true), from - 1)
    .. OURS .. mark .. ' ' .. marked .. ' ' .. tried .. ' ' .. done .. held .. sub(text, to + 1))
  return has(tried, id) and 'a' or 'n'
end

local outcomes = {}
for n = 1, #subjects do
  local at = 4 * n - 3
  -- One event's trouble (a record that somebody spoilt) is no other's.
  local fine, outcome = pcall(begin, n, events[at], events[at + 1], events[at + 2], events[at + 3])
  outcomes[n] = fine and outcome or 'u'
end
writeTexts()
return table.concat(outcomes)
