-- Takes events into a member's hands, those that are to be handled.
--
-- KEYS  1 tombstones; then per event: inbox of its subject
-- ARGV  1 now in ms, 2 until when they are held, 3 token of the member, 4 retention in ms, 5 group and source; then per
--       event: id, sequence or '' of a fact, its instant in ms and its user with a space between them, or '' where an
--       erasure changes nothing
-- Returns per event: new, again, repeat, overtaken, busy, erased or unreadable; see src/ports/inbox.ts.
-- Guarantee: of the events of a subject one at a time is in somebody's hands, and no call to act comes after a later one
-- that was begun. What took effect is not begun again, while it is among the last that did.
--@include inbox-record.lua

local KEYS, ARGV = KEYS, ARGV
local tombstones, now, heldUntil, token, retention, whose = KEYS[1], tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local anyErased = call('EXISTS', tombstones) == 1
local texts = textsAt(KEYS, 2)
-- What this call has written, for a subject may come twice.
local written = {}

local function isErased(who)
  local at, user = string.match(who, '^(%S+) (.*)$')
  local erasedAt = at and tonumber(call('ZSCORE', tombstones, user) or nil)
  return erasedAt and tonumber(at) <= erasedAt
end

local function begin(key, text, id, sequence, who)
  if anyErased and who ~= '' and isErased(who) then return 'erased' end

  local line, from, to, _, mark, marked, till, held, by, tried, done
  if text then line, from, to = lineOf(text, whose) end
  if line then
    _, mark, marked, till, held, by, tried, done = string.match(line, LINE)
    if has(done, id) then return 'repeat' end
    if sequence ~= '' and id ~= marked and sequence <= mark then return 'overtaken' end
    if till ~= '' then
      if tonumber(till) > now then return 'busy' end
      -- Whoever had it and did not end it may have handled it.
      if not has(tried, held) then tried = with(tried, held) end
    end
  else
    mark, marked, tried, done = '', '', ',', ','
  end
  if sequence ~= '' then mark, marked = sequence, id end
  line = '\n' .. whose .. ' ' .. mark .. ' ' .. marked .. ' ' .. heldUntil .. ' ' .. id .. ' ' .. token .. ' '
    .. tried .. ' ' .. done
  local record = text and replaced(text, from, to, line) or line
  if text then
    call('SET', key, record, 'PX', retention)
  elseif not call('SET', key, record, 'PX', retention, 'NX') then
    return 'unreadable'
  end
  written[key] = record
  return has(tried, id) and 'again' or 'new'
end

local outcomes = {}
for i = 1, #texts do
  local key, at = KEYS[i + 1], 3 * i + 3
  -- One event's trouble (a key of ours that somebody spoilt) is no other's.
  local fine, outcome = pcall(begin, key, written[key] or texts[i], ARGV[at], ARGV[at + 1], ARGV[at + 2])
  outcomes[i] = fine and outcome or 'unreadable'
end
return outcomes
