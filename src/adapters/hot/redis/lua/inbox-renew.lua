-- Holds events for longer.
--
-- KEYS  1 inbox
-- ARGV  1 until when, in ms, 2 token of the member, 3 retention in ms, 4 group and source, 5 JSON list of texts, per
--       event: subject, id
-- Returns a digit per event: 1, or 0 if it is not in the member's hands any more.
-- Guarantee: only the member that has an event holds it for longer; it may do so late, while nobody else has begun it.
--@include inbox-record.lua

local inbox, heldUntil, token, retention, whose = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local events = cjson.decode(ARGV[5])
local subjects, owned, writes = {}, {}, {}
for i = 1, #events, 2 do subjects[#subjects + 1] = events[i] end
local texts, places = textsOf(inbox, subjects)
local rememberedUntil = string.format('%.0f', clock + retention)

local function renew(subject, id)
  local text = texts[subject]
  if not text then return 0 end
  local line, from, to = lineOf(text, whose)
  if not line then return 0 end
  local marks, tried, done, held, by = match(line, HELD)
  if held ~= id or by ~= token then return 0 end
  local head = find(text, '\n', 1, true)
  local record = rememberedUntil .. sub(text, head, from - 1) .. marks .. ' ' .. tried .. ' ' .. done .. ' '
    .. heldUntil .. ' ' .. id .. ' ' .. token .. sub(text, to + 1)
  texts[subject] = record
  writes[#writes + 1] = subject
  writes[#writes + 1] = record
  return 1
end

for i = 1, #events, 2 do
  local fine, own = pcall(renew, events[i], events[i + 1])
  owned[#owned + 1] = fine and own or 0
end
write(inbox, retention, writes, places)
return table.concat(owned)
