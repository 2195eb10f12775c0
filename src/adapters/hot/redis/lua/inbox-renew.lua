-- Holds events for longer.
--
-- KEYS  per event: inbox of its subject
-- ARGV  1 until when, in ms, 2 token of the member, 3 retention in ms, 4 group and source; then per event: id
-- Returns per event: 1, or 0 if it is not in the member's hands any more.
-- Guarantee: only the member that has an event holds it for longer; it may do so late, while nobody else has begun it.
--@include inbox-record.lua

local KEYS, ARGV = KEYS, ARGV
local heldUntil, token, retention, whose = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local texts = textsAt(KEYS, 1)
local written = {}

local function renew(key, text, id)
  local line, from, to = lineOf(text, whose)
  if not line then return 0 end
  local _, mark, marked, _, held, by, tried, done = string.match(line, LINE)
  if held ~= id or by ~= token then return 0 end
  line = '\n' .. whose .. ' ' .. mark .. ' ' .. marked .. ' ' .. heldUntil .. ' ' .. id .. ' ' .. token .. ' '
    .. tried .. ' ' .. done
  local record = replaced(text, from, to, line)
  call('SET', key, record, 'PX', retention)
  written[key] = record
  return 1
end

local renewed = {}
for i = 1, #KEYS do
  local key = KEYS[i]
  local text = written[key] or texts[i]
  local fine, own = pcall(renew, key, text, ARGV[i + 4])
  renewed[i] = text and fine and own or 0
end
return renewed
