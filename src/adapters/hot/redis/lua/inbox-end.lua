-- Takes events out of a member's hands.
--
-- KEYS  1 inbox
-- ARGV  1 token of the member, 2 retention in ms, 3 group and source, 4 JSON list of texts, per event: subject, outcome
--       (done, failed, free), id
-- Returns a digit per event: 1, or 0 if it was not in the member's hands any more.
-- Guarantee: only the member that has an event says how it ended. The retention goes on from when it was held last.

local inbox, token, retention, whose = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3]
--@include inbox-record.lua

local events = cjson.decode(ARGV[4])
for i = 1, #events, 3 do subjects[#subjects + 1] = events[i] end
readTexts()

local NOTHING = ' , ,'

local function finish(n, subject, outcome, id)
  local text = written[subject] or texts[n]
  if not text then return 0 end
  local held, to = heldAt(text, id, token)
  if not held then return 0 end
  local known, others = sub(text, 1, held - 1), sub(text, to + 1)
  if outcome == 'free' then
    write(subject, known .. others)
  elseif outcome == 'done' and sub(known, -#NOTHING) == NOTHING then
    write(subject, known .. id .. ',' .. others)
  else
    local marks, tried, done = match(known, '^(.*) (%S*) (%S*)$')
    if outcome == 'done' then
      tried, done = without(tried, id), with(done, id)
    elseif not has(tried, id) then
      tried = with(tried, id)
    end
    write(subject, marks .. ' ' .. tried .. ' ' .. done .. others)
  end
  return 1
end

local owned = {}
for n = 1, #subjects do
  local at = 3 * n - 2
  local fine, own = pcall(finish, n, events[at], events[at + 1], events[at + 2])
  owned[n] = fine and own or 0
end
writeTexts()
return table.concat(owned)
