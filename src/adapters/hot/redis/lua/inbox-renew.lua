-- Holds events for longer.
--
-- KEYS  per event: inbox of its subject
-- ARGV  1 until when, in ms, 2 token of the member, 3 retention in ms; then per event: group and source, id
-- Returns per event: 1, or 0 if it is not in the member's hands any more.
-- Guarantee: only the member that has an event holds it for longer; it may do so late, while nobody else has begun it.
--@include inbox-record.lua

local heldUntil, token, retention = tonumber(ARGV[1]), ARGV[2], ARGV[3]

local function renew(key, field, id)
  local record = readRecord(key, field)
  if not isHeldBy(record, id, token) then return 0 end
  record[UNTIL] = heldUntil
  writeRecord(key, field, record)
  redis.call('PEXPIRE', key, retention)
  return 1
end

local renewed = {}
for i = 1, #KEYS do
  local fine, own = pcall(renew, KEYS[i], ARGV[2 * i + 2], ARGV[2 * i + 3])
  renewed[i] = fine and own or 0
end
return renewed
