-- Reads what was said last and how the session stands, as one moment: for a recall, which has no time for more.
--
-- KEYS  1 session, 2 messages, 3 overflow, 4 tombstones
-- ARGV  1 owner of the session, 2 largest field that is read, in bytes, 3 messages of each list, 4 … names of the fields
-- Returns {values of the fields, false for what is missing; names of those that are too large; the end of the overflow;
-- the end of the window, a text where others keep one; 1 if there is more of either, else 0; instant of erasure or false}.
-- It never decodes JSON (cjson turns [] into {} and rounds large ids), and takes what is of the wrong kind for missing.

-- A text that others keep instead of the list.
local TEXT_MAX = 1048576

local call, pcall = redis.call, redis.pcall
local maxField, page = tonumber(ARGV[2]), tonumber(ARGV[3])
local more = 0

local function tailOf(key)
  local tail = pcall('LRANGE', key, -page, -1)
  if tail.err then return nil end
  if #tail == page and call('LLEN', key) > page then more = 1 end
  return tail
end

local leftOut = {}
local values = pcall('HMGET', KEYS[1], unpack(ARGV, 4))
if values.err then values = {} end
for i = 1, #ARGV - 3 do
  local value = values[i] or false
  if value and #value > maxField then
    leftOut[#leftOut + 1] = ARGV[i + 3]
    value = false
  end
  values[i] = value
end

local window = tailOf(KEYS[2])
if not window then
  window = {}
  if call('TYPE', KEYS[2]).ok == 'string' then
    if call('STRLEN', KEYS[2]) > TEXT_MAX then leftOut[#leftOut + 1] = ':messages' else window = call('GET', KEYS[2]) end
  end
end

return { values, leftOut, tailOf(KEYS[3]) or {}, window, more, call('ZSCORE', KEYS[4], ARGV[1]) }
