-- Takes events out of a member's hands.
--
-- KEYS  per event: inbox of its subject
-- ARGV  1 token of the member; then per event: group and source, id, outcome (done, failed, free)
-- Returns per event: 1, or 0 if it was not in the member's hands any more.
-- Guarantee: only the member that has an event says how it ended. The retention goes on from when it was held last.
--@include inbox-record.lua

-- How many are kept that took effect: a repeat is then told from what was overtaken. Either is not handled.
local KEPT = 8

local token = ARGV[1]

local function finish(key, field, id, outcome)
  local record = readRecord(key, field)
  if not isHeldBy(record, id, token) then return 0 end
  if outcome == 'failed' then record[TRIED] = 1 end
  if outcome == 'done' then
    table.insert(record, TOOK_EFFECT, id)
    record[TOOK_EFFECT + KEPT] = nil
  end
  record[STATE], record[UNTIL], record[TOKEN] = outcome == 'done' and 'done' or 'free', 0, ''
  writeRecord(key, field, record)
  return 1
end

local ended = {}
for i = 1, #KEYS do
  local fine, own = pcall(finish, KEYS[i], ARGV[3 * i - 1], ARGV[3 * i], ARGV[3 * i + 1])
  ended[i] = fine and own or 0
end
return ended
