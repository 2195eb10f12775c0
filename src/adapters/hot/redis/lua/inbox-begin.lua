-- Takes events into a member's hands, those that are to be handled.
--
-- KEYS  1 tombstones, 2 inbox
-- ARGV  1 now in ms, 2 until when they are held, 3 token of the member, 4 retention in ms, 5 group and source, 6 JSON list
--       of texts, per event: subject, id, sequence or '' of a fact, its instant in ms and its user with a space between
--       them, or '' where an erasure changes nothing
-- Returns a letter per event: new, again, repeat, overtaken, busy, erased or unreadable; see src/ports/inbox.ts.
-- Guarantee: of the events of a subject one at a time is in somebody's hands, and no call to act comes after a later one
-- that was begun. What took effect is not begun again, while it is among the last that did.
-- One text, for each argument costs client and server more than its bytes; of a list of texts JSON changes nothing.
--@include inbox-record.lua

local ARGV = ARGV
local tombstones, inbox = KEYS[1], KEYS[2]
local now, heldUntil, token, retention, whose = tonumber(ARGV[1]), ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local events = cjson.decode(ARGV[6])
local anyErased = call('EXISTS', tombstones) == 1
local subjects, outcomes, writes = {}, {}, {}
for i = 1, #events, 4 do subjects[#subjects + 1] = events[i] end
local texts, places = textsOf(inbox, subjects)
local rememberedUntil = string.format('%.0f', clock + retention)
local ours = '\n' .. whose .. ' '
local first = rememberedUntil .. ours

local function isErased(who)
  local at, user = match(who, '^(%S+) (.*)$')
  local erasedAt = at and tonumber(call('ZSCORE', tombstones, user) or nil)
  return erasedAt and tonumber(at) <= erasedAt
end

local function begin(subject, id, sequence, who)
  if anyErased and who ~= '' and isErased(who) then return 'e' end
  local text, record, outcome = texts[subject], nil, 'n'
  if text then
    local line, from, to = lineOf(text, whose)
    local mark, marked, tried, done = '', '', ',', ','
    if line then
      local till, held
      mark, marked, tried, done, till, held = match(line, LINE)
      if has(done, id) then return 'r' end
      if sequence ~= '' and id ~= marked and sequence <= mark then return 'o' end
      if till ~= '' then
        if tonumber(till) > now then return 'b' end
        -- Whoever had it and did not end it may have handled it.
        if not has(tried, held) then tried = with(tried, held) end
      end
    end
    if sequence ~= '' then mark, marked = sequence, id end
    if has(tried, id) then outcome = 'a' end
    local head = find(text, '\n', 1, true)
    record = rememberedUntil .. sub(text, head, from - 1) .. ours .. mark .. ' ' .. marked .. ' ' .. tried .. ' '
      .. done .. ' ' .. heldUntil .. ' ' .. id .. ' ' .. token .. sub(text, to + 1)
  else
    local marked = sequence ~= '' and id or ''
    record = first .. sequence .. ' ' .. marked .. ' , , ' .. heldUntil .. ' ' .. id .. ' ' .. token
  end
  texts[subject] = record
  writes[#writes + 1] = subject
  writes[#writes + 1] = record
  return outcome
end

for i = 1, #events, 4 do
  -- One event's trouble (a record that somebody spoilt) is no other's.
  local fine, outcome = pcall(begin, events[i], events[i + 1], events[i + 2], events[i + 3])
  outcomes[#outcomes + 1] = fine and outcome or 'u'
end
write(inbox, retention, writes, places)
return table.concat(outcomes)
