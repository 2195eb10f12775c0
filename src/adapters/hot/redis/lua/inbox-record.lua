-- A record of the inbox: what a group knows of the events of one source and subject. Packed, for ids are others' texts.
-- A list: the sequence and the id of the event that was begun last, its state ('begun', 'free', 'done'), until when it is
-- held and by which token, 1 if it may have taken effect, then the ids that took effect last, the latest first.
local SEQUENCE, ID, STATE, UNTIL, TOKEN, TRIED, TOOK_EFFECT = 1, 2, 3, 4, 5, 6, 7

local function readRecord(key, field)
  local text = redis.call('HGET', key, field)
  return text and cmsgpack.unpack(text) or nil
end

local function writeRecord(key, field, record)
  redis.call('HSET', key, field, cmsgpack.pack(record))
end

local function isHeldBy(record, id, token)
  return record and record[STATE] == 'begun' and record[ID] == id and record[TOKEN] == token
end
