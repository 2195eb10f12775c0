-- Takes events out of a member's hands.
--
-- KEYS  per event: inbox of its subject
-- ARGV  1 token of the member, 2 group and source; then per event: outcome (done, failed, free), id
-- Returns per event: 1, or 0 if it was not in the member's hands any more.
-- Guarantee: only the member that has an event says how it ended. The retention goes on from when it was held last.
--@include inbox-record.lua

local KEYS, ARGV = KEYS, ARGV
local token, whose = ARGV[1], ARGV[2]
local texts = textsAt(KEYS, 1)
local written = {}

local function finish(key, text, id, outcome)
  local line, from, to = lineOf(text, whose)
  if not line then return 0 end
  local _, mark, marked, _, held, by, tried, done = string.match(line, LINE)
  if held ~= id or by ~= token then return 0 end
  if outcome == 'failed' and not has(tried, id) then tried = with(tried, id) end
  if outcome == 'done' then
    tried = without(tried, id)
    done = with(done, id)
  end
  line = '\n' .. whose .. ' ' .. mark .. ' ' .. marked .. '    ' .. tried .. ' ' .. done
  local record = replaced(text, from, to, line)
  call('SET', key, record, 'KEEPTTL')
  written[key] = record
  return 1
end

local ended = {}
for i = 1, #KEYS do
  local key = KEYS[i]
  local text = written[key] or texts[i]
  local fine, own = pcall(finish, key, text, ARGV[2 * i + 2], ARGV[2 * i + 1])
  ended[i] = text and fine and own or 0
end
return ended
