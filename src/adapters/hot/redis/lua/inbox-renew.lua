-- Holds events for longer.
--
-- KEYS  1 inbox
-- ARGV  1 until when, in ms, 16 digits, 2 token of the member, 3 retention in ms, 4 group and source, 5 JSON list of texts,
--       per event: subject, id
-- Returns a digit per event: 1, or 0 if it is not in the member's hands any more.
-- Guarantee: only the member that has an event holds it for longer; it may do so late, while nobody else has begun it.

local inbox, heldUntil, token, retention, whose = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
--@include inbox-record.lua

local events = cjson.decode(ARGV[5])
for i = 1, #events, 2 do subjects[#subjects + 1] = events[i] end
readTexts()

local function renew(n, subject, id)
  local text = written[subject] or texts[n]
  local held = text and heldAt(text, id, token)
  if not held then return 0 end
  write(subject, rememberedUntil .. sub(text, find(text, '\n', 1, true), held) .. heldUntil .. sub(text, held + #UNTIL))
  return 1
end

local owned = {}
for n = 1, #subjects do
  local at = 2 * n - 1
  local fine, own = pcall(renew, n, events[at], events[at + 1])
  owned[n] = fine and own or 0
end
writeTexts()
return table.concat(owned)
