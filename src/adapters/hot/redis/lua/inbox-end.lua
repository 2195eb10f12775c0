-- Takes events out of a member's hands.
--
-- KEYS  1 inbox
-- ARGV  1 token of the member, 2 retention in ms, 3 group and source, 4 JSON list of texts, per event: subject, outcome
--       (done, failed, free), id
-- Returns a digit per event: 1, or 0 if it was not in the member's hands any more.
-- Guarantee: only the member that has an event says how it ended. The retention goes on from when it was held last.
--@include inbox-record.lua

local inbox, token, retention, whose = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3]
local events = cjson.decode(ARGV[4])
local subjects, owned, writes = {}, {}, {}
for i = 1, #events, 3 do subjects[#subjects + 1] = events[i] end
local texts, places = textsOf(inbox, subjects)

local function finish(subject, outcome, id)
  local text = texts[subject]
  if not text then return 0 end
  local line, from, to = lineOf(text, whose)
  if not line then return 0 end
  local marks, tried, done, held, by = match(line, HELD)
  if held ~= id or by ~= token then return 0 end
  if outcome == 'done' then
    if tried ~= ',' then tried = without(tried, id) end
    done = with(done, id)
  elseif outcome == 'failed' and not has(tried, id) then
    tried = with(tried, id)
  end
  local record = sub(text, 1, from - 1) .. marks .. ' ' .. tried .. ' ' .. done .. '   ' .. sub(text, to + 1)
  texts[subject] = record
  writes[#writes + 1] = subject
  writes[#writes + 1] = record
  return 1
end

for i = 1, #events, 3 do
  local fine, own = pcall(finish, events[i], events[i + 1], events[i + 2])
  owned[#owned + 1] = fine and own or 0
end
write(inbox, retention, writes, places)
return table.concat(owned)
