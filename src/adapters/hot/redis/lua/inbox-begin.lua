-- Takes events into a member's hands, those that are to be handled.
--
-- KEYS  1 tombstones; then per event: inbox of its subject
-- ARGV  1 now in ms, 2 until when they are held, 3 token of the member, 4 retention in ms; then per event:
--       group and source, id, sequence, its instant in ms, its user or '' where an erasure changes nothing
-- Returns per event: new, again, repeat, overtaken, busy, erased or unreadable; see src/ports/inbox.ts.
-- Guarantee: of the events of a subject one at a time is in somebody's hands, and none that comes before one that was
-- begun. What took effect is not begun again, while it is among the last that did.
--@include inbox-record.lua

local tombstones, now, heldUntil, token, retention = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4]
local anyErased = redis.call('EXISTS', tombstones) == 1

local function begin(key, field, id, sequence, at, user)
  local erasedAt = anyErased and user ~= '' and tonumber(redis.call('ZSCORE', tombstones, user) or nil)
  if erasedAt and at <= erasedAt then return 'erased' end

  local record = readRecord(key, field)
  if record then
    for i = TOOK_EFFECT, #record do
      if record[i] == id then return 'repeat' end
    end
    local same = record[ID] == id
    if not same and sequence <= record[SEQUENCE] then return 'overtaken' end
    if record[STATE] == 'begun' and record[UNTIL] > now then return 'busy' end
    -- Whoever had it and did not end it may have handled it.
    if same and record[STATE] == 'begun' then record[TRIED] = 1 end
    if not same then record[TRIED] = 0 end
  else
    record = { '', '', '', 0, '', 0 }
  end
  record[SEQUENCE], record[ID], record[STATE], record[UNTIL], record[TOKEN] = sequence, id, 'begun', heldUntil, token
  writeRecord(key, field, record)
  redis.call('PEXPIRE', key, retention)
  return record[TRIED] == 1 and 'again' or 'new'
end

local outcomes = {}
for i = 2, #KEYS do
  local at = 5 * i - 5
  -- One event's trouble (a key of ours that somebody spoilt) is no other's.
  local fine, outcome =
    pcall(begin, KEYS[i], ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3]), ARGV[at + 4])
  outcomes[i - 1] = fine and outcome or 'unreadable'
end
return outcomes
